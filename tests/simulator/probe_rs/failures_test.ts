import assert from "node:assert/strict";
import { DEFAULT_PROBE } from "../../../lib/simulator/probe_rs/scenario.ts";
import type { Scenario } from "../../../lib/simulator/probe_rs/scenario.ts";
import { readErrors } from "../../../lib/source/child_errors.ts";
import {
  type FailureKind,
  recognizeFailure,
  tellsOfTheEnd,
} from "../../../lib/source/failure.ts";
import { type Called, Desk, events, minorOf, VERSIONS } from "./desk.ts";

const SECOND_PROBE = { ...DEFAULT_PROBE, id: "0483:374b:0671FF000000" };
const RUN = "run --chip STM32F446RETx fw.elf";

interface Case {
  readonly name: string;
  readonly scenario?: Partial<Scenario>;
  /** @default {RUN} */
  readonly args?: string;
  readonly at_s?: number;
  readonly kind: FailureKind;
  /** The first line of `Error:`, by N of 0.N. */
  readonly error: (minor: number) => string | undefined;
  /** @default {1} */
  readonly code?: (minor: number) => number;
  /** Versions that this is about. @default {all} */
  readonly of?: (minor: number) => boolean;
}

const CASES: readonly Case[] = [
  {
    name: "the ELF file is missing, run",
    args: "run --chip STM32F446RETx none.elf",
    kind: "firmware missing",
    error: (minor) =>
      minor < 28
        ? "Failed to open binary file."
        : "An IO error has occurred while reading the firmware file.",
  },
  {
    name: "the ELF file is missing, attach",
    args: "attach --chip STM32F446RETx none.elf",
    kind: "firmware missing",
    error: (minor) =>
      minor < 28
        ? "Failed to open binary file."
        : "Failed to read firmware from none.elf",
  },
  {
    name: "there is no probe",
    scenario: { probe: [] },
    kind: "probe missing",
    error: () => "No connected probes were found.",
  },
  {
    name: "the probe is unplugged",
    scenario: { event: events([1, "unplug"]) },
    at_s: 2,
    kind: "probe missing",
    error: () => "No connected probes were found.",
  },
  {
    name: "the probe with this serial number is missing",
    args: `${RUN} --probe 0483:374b:OTHER`,
    kind: "probe missing",
    error: (minor) =>
      minor < 28
        ? "Failed to open the debug probe."
        : "No connected probes were found.",
  },
  {
    name: "there are two probes, and none is chosen",
    scenario: { probe: [DEFAULT_PROBE, SECOND_PROBE] },
    kind: "ambiguous probe",
    error: (minor) =>
      minor === 24
        ? "2 probes were found: "
        : minor < 28
        ? "Failed to parse interactive probe index selection"
        : "Failed to parse probe index",
  },
  {
    name: "there are two probes, none is chosen, and nobody may be asked",
    scenario: { probe: [DEFAULT_PROBE, SECOND_PROBE] },
    args: `${RUN} --non-interactive`,
    of: (minor) => minor >= 25,
    kind: "ambiguous probe",
    error: (minor) =>
      minor < 28 ? "2 probes were found: " : "Failed to parse probe index",
  },
  {
    name: "another program holds the probe",
    scenario: { event: events([0, "busy"]) },
    kind: "probe busy",
    error: (minor) =>
      minor < 28
        ? "Failed to open the debug probe."
        : minor < 30
        ? "Probe not found"
        : "Failed to open probe: Failed to open the debug probe.",
  },
  {
    name: "the probe may not be opened",
    scenario: { event: events([0, "no_permission"]) },
    of: (minor) => minor < 28 || minor >= 30,
    kind: "no permission",
    error: (minor) =>
      minor < 28
        ? "Failed to open the debug probe."
        : "Failed to open probe: Failed to open the debug probe.",
  },
  {
    name: "the chip is unknown",
    args: "run --chip NOPE fw.elf",
    kind: "chip unknown",
    error: () => "The chip 'NOPE' was not found in the database.",
  },
  {
    name: "chip info does not know the chip",
    args: "chip info NOPE",
    kind: "chip unknown",
    error: () =>
      "The requested chip 'NOPE' was not found in the list of known targets.",
  },
  {
    name: "the board has no power",
    scenario: { event: events([0, "power_off"]) },
    kind: "target lost",
    error: () => "Connecting to the chip was unsuccessful.",
  },
  {
    name: "the flash cannot be erased",
    scenario: { event: events([0, "erase_fails"]) },
    kind: "flashing failed",
    error: (minor) =>
      minor < 28
        ? "The flashing procedure failed for 'fw.elf'."
        : "An error with the flashing procedure has occurred.",
  },
  {
    name: "the probe is pulled while it programs",
    scenario: { event: events([0.5, "unplug"]) },
    kind: "flashing failed",
    error: (minor) =>
      minor < 28
        ? "The flashing procedure failed for 'fw.elf'."
        : "An error with the flashing procedure has occurred.",
  },
  {
    name: "the probe is pulled while it reads",
    scenario: { event: events([5, "unplug"]) },
    kind: "target lost",
    error: () => "An ARM specific error occurred.",
  },
  {
    name: "the board loses its power while it is read",
    scenario: { event: events([5, "power_off"]) },
    kind: "target lost",
    error: () => "An ARM specific error occurred.",
  },
  {
    name: "the firmware panics, and faults are caught",
    scenario: { event: events([5, "panic"]) },
    of: (minor) => minor >= 28,
    kind: "firmware crashed",
    error: (minor) => minor < 30 ? undefined : "Exception",
    code: (minor) => minor < 30 ? 0 : 1,
  },
  {
    name: "the board is reset, and resets are caught",
    scenario: { event: events([5, "reset"]) },
    of: (minor) => minor >= 28,
    kind: "firmware crashed",
    error: (minor) => minor < 30 ? undefined : "Exception",
    code: (minor) => minor < 30 ? 0 : 1,
  },
  {
    name: "there is no RTT control block",
    scenario: { event: events([0, "no_rtt"]) },
    of: (minor) => minor === 24,
    kind: "no RTT",
    error: () => "Failed to attach to RTT",
  },
  {
    name: "a flag is unknown",
    args: `${RUN} --bogus`,
    kind: "wrong usage",
    error: () => "unexpected argument '--bogus' found",
    code: () => 2,
  },
  {
    name: "the selector is malformed",
    args: `${RUN} --probe zzz`,
    kind: "wrong usage",
    error: () =>
      "invalid value 'zzz' for '--probe <PROBE>': The format of the selector is invalid.",
    code: () => 2,
  },
];

for (const { name, scenario, args = RUN, at_s = 0, kind, ...wanted } of CASES) {
  const { error, code = () => 1, of = () => true } = wanted;
  Deno.test(`The stand-in ends as probe-rs does, and the gateway knows why: ${name}`, async () => {
    for (const version of VERSIONS.filter((one) => of(minorOf(one)))) {
      const minor = minorOf(version);
      const desk = new Desk({ ...scenario, version }).at(at_s);
      const called = await desk.call(args);
      const told = `${version}: ${called.stderr}`;
      assert.equal(called.code, code(minor), told);
      const first = error(minor);
      const line = called.stderr.split("\n").find((one) =>
        /^error: /i.test(one)
      );
      if (first === undefined) assert.equal(line, undefined, told);
      else assert.ok(line?.slice("Error: ".length).startsWith(first), told);
      assert.equal((await failureOf(called)).kind, kind, told);
    }
  });
}

/** What the gateway makes of a call's end. */
async function failureOf({ code, stdout, stderr }: Called) {
  const error = await readErrors(
    new Blob([stderr]).stream(),
  );
  const said = stdout.split("\n").find(tellsOfTheEnd);
  return recognizeFailure({ code, error, said });
}

Deno.test("The stand-in looks for the ELF file, the probe and the chip in the order of its version", async () => {
  for (const version of VERSIONS) {
    const minor = minorOf(version);
    const why = async (args: string) =>
      (await new Desk({ version, probe: [] }).call(args)).why;
    assert.equal(await why("run --chip NOPE none.elf"), "firmware missing");
    const attach = await why("attach --chip NOPE none.elf");
    const isLate = minor >= 28 && minor < 32;
    assert.equal(attach, isLate ? "probe missing" : "firmware missing");
    const chip = await why("run --chip NOPE fw.elf");
    assert.equal(chip, minor < 28 ? "chip unknown" : "probe missing");
  }
});

Deno.test("The stand-in asks which probe, and takes the one that is typed", async () => {
  const desk = new Desk({ probe: [DEFAULT_PROBE, SECOND_PROBE] });
  const { stdout, code } = await desk.call(RUN, { typed: "1\n", until_s: 10 });
  assert.ok(stdout.startsWith(
    `Available Probes:
0: STLink V2-1 -- ${DEFAULT_PROBE.id} (ST-LINK)
1: STLink V2-1 -- ${SECOND_PROBE.id} (ST-LINK)
Selection: [INFO ] Gateway firmware started`,
  ));
  assert.equal(code, 0);
});

Deno.test("The stand-in colours its errors even into a pipe, unless NO_COLOR is set, and shows a backtrace if it is asked to", async () => {
  const call = (env: Record<string, string>) =>
    new Desk().call("run --bogus fw.elf", { env });
  assert.ok(
    (await call({ NO_COLOR: "" })).stderr.startsWith("\x1b[1;31merror:"),
  );
  assert.match((await call({})).stderr, /^error: /);
  const { stderr } = await new Desk({ probe: [] })
    .call(RUN, { env: { RUST_BACKTRACE: "1" } });
  assert.match(stderr, /\n\nStack backtrace:\n {3}0: /);
});

Deno.test("The stand-in warns of what may be wrong with the setup, unless that is switched off", async () => {
  const call = (env: Record<string, string>) =>
    new Desk({ probe: [] }).call("list", { env });
  const warned = await call({});
  assert.equal(warned.stdout, "No debug probes were found.\n");
  assert.match(warned.stderr, /^ WARN probe_rs::util::setup_hints: /);
  const quiet = await call({ PROBE_RS_DISABLE_SETUP_HINTS: "1" });
  assert.equal(quiet.stderr, "");
});
