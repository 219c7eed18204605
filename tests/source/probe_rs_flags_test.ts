import assert from "node:assert/strict";
import {
  isTooOld,
  isUnknown,
  probeRsArguments,
  type ProbeRsCommand,
} from "../../lib/source/probe_rs_flags.ts";

const TARGET = {
  probe_id: "0483:374b:0671",
  chip: "STM32F446RETx",
  firmware_path: "/srv/fw.elf",
};

const CATCH = "--no-catch-reset --no-catch-hardfault";
/** What each version is given beside chip, probe and file. */
const CASES: readonly [version: string, run: string, attach: string][] = [
  ["0.24", "--disable-progressbars", ""],
  ...[25, 26, 27].map((minor): [string, string, string] => [
    `0.${minor}`,
    "--disable-progressbars --preverify --non-interactive",
    "--non-interactive",
  ]),
  ...[28, 29].map((minor): [string, string, string] => [
    `0.${minor}`,
    `--disable-progressbars --preverify --non-interactive ${CATCH}`,
    `--non-interactive ${CATCH}`,
  ]),
  ...["0.30", "0.31", "0.32", "0.33", "1.0", "2.40"].map((
    version,
  ): [string, string, string] => [
    version,
    `--disable-progressbars --preverify --non-interactive ${CATCH} --no-timestamps`,
    `--non-interactive ${CATCH} --no-timestamps`,
  ]),
];

function versionOf(text: string) {
  const [major = 0, minor = 0] = text.split(".").map(Number);
  return { major, minor, text: `${text}.0` };
}

for (const [version, run, attach] of CASES) {
  Deno.test(`probe-rs ${version} gets the flags that it knows`, () => {
    const commands: [ProbeRsCommand, string][] = [
      ["run", run],
      ["attach", attach],
    ];
    for (const [command, flags] of commands) {
      assert.deepEqual(probeRsArguments(command, TARGET, versionOf(version)), [
        command,
        "--chip",
        "STM32F446RETx",
        "--probe",
        "0483:374b:0671",
        ...flags.split(" ").filter((flag) => flag !== ""),
        "/srv/fw.elf",
      ]);
    }
  });
}

Deno.test("probe-rs is too old before 0.24, and unknown after 0.32", () => {
  const known = (version: string) => [
    isTooOld(versionOf(version)),
    isUnknown(versionOf(version)),
  ];
  for (const old of ["0.1", "0.23"]) {
    assert.deepEqual(known(old), [true, false]);
  }
  for (const good of ["0.24", "0.32"]) {
    assert.deepEqual(known(good), [false, false]);
  }
  for (const young of ["0.33", "1.0", "1.24"]) {
    assert.deepEqual(known(young), [false, true]);
  }
});
