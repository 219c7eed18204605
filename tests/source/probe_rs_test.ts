import assert from "node:assert/strict";
import { join } from "node:path";
import type { Finding } from "../../lib/model.ts";
import {
  checkProbeRs,
  type ProbeRsCheckOptions,
} from "../../lib/source/probe_rs.ts";
import { makeFirmware } from "../elf.ts";
import { withProbeRs } from "./fake_probe_rs.ts";

const ONE = `The following debug probes were found:
[0]: STLink V2-1 -- 0483:374b:066D (ST-LINK)
`;
const OTHER = "[1]: J-Link -- 1366:0101-2:000123 (J-Link)\n";

/** Checks with the probe-rs of before, which lists these probes. */
async function checkProbe(
  list: string,
  probe_id: string | undefined,
  script = REAL_0_32,
): Promise<Finding | undefined> {
  let finding: Finding | undefined;
  await withProbeRs(script, async (folder) => {
    await Deno.writeTextFile(join(folder, "list"), list);
    const findings = await check({ probe_id }, folder);
    finding = findings.find(({ subject }) => subject === "probe");
  });
  return finding;
}

async function check(
  options: Partial<ProbeRsCheckOptions>,
  path: string,
): Promise<Finding[]> {
  const signal = new AbortController().signal;
  return await Array.fromAsync(
    checkProbeRs({
      env: { PATH: path },
      signal,
      // What is plugged in here is no matter of these tests.
      look: () => Promise.resolve(undefined),
      ...options,
    }),
  );
}

/** Without `mi meta`, so that the version comes from the other question. */
const REAL_0_32 = `PATH=/usr/bin:/bin
case "$*" in
--version) echo 'probe-rs 0.32.0 (git commit: crates.io)' ;;
list) cat "$(dirname "$0")/list" ;;
"chip list") printf 'Available chips:\\nSTM32F4 Series\\n    Variants:\\n        STM32F446RCTx\\n        STM32F446RETx\\n' ;;
"chip info STM32F446RETx") echo STM32F446RETx; echo 'Cores (1):' ;;
"chip info "*) printf '\\033[31mError\\033[0m: The requested chip was not found in the list of known targets.\\n' >&2; exit 1 ;;
*) exit 2 ;;
esac`;

Deno.test("checkProbeRs finds an installation that is whole", async () => {
  await withProbeRs(REAL_0_32, async (folder) => {
    const firmware = join(folder, "fw.elf");
    await Deno.writeFile(firmware, makeFirmware());
    await Deno.writeTextFile(join(folder, "list"), ONE);
    assert.deepEqual(
      await check({ chip: "STM32F446RETx", firmware_path: firmware }, folder),
      [
        {
          level: "ok",
          subject: "probe-rs",
          detail: `version 0.32.0 (${join(folder, "probe-rs")})`,
        },
        {
          level: "ok",
          subject: "probe",
          detail: "STLink V2-1 (0483:374b:066D) is connected",
        },
        {
          level: "ok",
          subject: "chip",
          detail: '"STM32F446RETx" is known to probe-rs',
        },
        {
          level: "ok",
          subject: "firmware",
          detail: `${firmware} (Arm, logs by defmt over RTT)`,
        },
      ],
    );
  });
});

Deno.test("checkProbeRs says how to install what is missing and goes on", async () => {
  await withProbeRs(undefined, async (folder) => {
    const firmware = join(folder, "fw.elf");
    await Deno.writeTextFile(firmware, "MZ");
    const findings = await check({
      chip: "STM32F446RETx",
      firmware_path: firmware,
    }, folder);
    assert.deepEqual(findings.map(({ level }) => level), ["failed", "failed"]);
    assert.ok(
      findings[0]?.detail.includes(`in no folder of PATH, "${folder}"`),
    );
    assert.equal(findings[0]?.hint, "install it, then open a new terminal");
    assert.match(
      findings[0]?.fix?.join("\n") ?? "",
      /^curl .*\/probe-rs-tools-installer\.sh \| sh$/,
    );
    assert.match(
      findings[1]?.detail ?? "",
      /must name an ELF file, .*: ".*fw\.elf" is none/,
    );
  });
});

Deno.test("checkProbeRs names a chip that probe-rs does not know, and a file that is not there", async () => {
  await withProbeRs(REAL_0_32, async (folder) => {
    const findings = await check({
      chip: "NOPE",
      firmware_path: join(folder, "no.elf"),
    }, folder);
    assert.deepEqual(findings.map(({ level }) => level), [
      "ok",
      "warning",
      "failed",
      "failed",
    ]);
    assert.equal(
      findings[2]?.detail,
      'probe-rs knows no chip "NOPE" ' +
        "(Error: The requested chip was not found in the list of known targets.)",
    );
    assert.match(findings[3]?.detail ?? "", /^".*no\.elf" is not there$/);
  });
});

Deno.test("checkProbeRs names the chip that may be meant by one that probe-rs does not know", async () => {
  await withProbeRs(REAL_0_32, async (folder) => {
    const ask = async (chip: string) =>
      (await check({ chip }, folder)).find(({ subject }) => subject === "chip");
    assert.deepEqual((await ask("STM32F446RET6"))?.fix, [
      'chip = "STM32F446RETx"',
    ]);
    const unlike = await ask("NOPE");
    assert.equal(unlike?.fix, undefined);
    assert.match(
      unlike?.hint ?? "",
      /^find its name with "probe-rs chip list"/,
    );
  });
});

const PUT =
  'put the line of the right one under [gateway] in config.toml, or under the [[board]] that it belongs to, in place of another "probe_id"';

const PROBE_CASES: readonly {
  readonly name: string;
  readonly list: string;
  readonly probe_id?: string;
  readonly level: Finding["level"];
  readonly detail: string;
  readonly hint?: string;
  readonly fix?: readonly string[];
}[] = [
  {
    name: "the only probe, where none is named",
    list: ONE,
    level: "ok",
    detail: "STLink V2-1 (0483:374b:066D) is connected",
  },
  {
    name: "the probe that is named, in whatever case",
    list: ONE + OTHER,
    probe_id: "0483:374B:066D",
    level: "ok",
    detail: "STLink V2-1 (0483:374b:066D) is connected",
  },
  {
    name: "no probe",
    list: "No debug probes were found.\n",
    probe_id: "0483:374b",
    level: "failed",
    detail: "no debug probe is connected",
    hint:
      "plug it in, by a cable that carries data and not only power, and not through a hub without a supply of its own; if it is, let this user open it: the README has the rule for udev",
  },
  {
    name: "several where none is named",
    list: ONE + OTHER,
    level: "failed",
    detail:
      '2 probes are connected, and no "probe_id" says which one is this board\'s',
    hint: PUT,
    fix: [
      'probe_id = "0483:374b:066D"   # STLink V2-1',
      'probe_id = "1366:0101-2:000123"   # J-Link',
    ],
  },
  {
    name: "another than the one that is named",
    list: ONE,
    probe_id: "0483:374b:0671",
    level: "failed",
    detail: 'the probe "0483:374b:0671" is not connected, but 1 other is',
    hint: `plug "0483:374b:0671" in, or ${PUT}`,
    fix: ['probe_id = "0483:374b:066D"   # STLink V2-1'],
  },
  {
    name: "several that a name means",
    list: `${ONE}[1]: STLink V2-1 -- 0483:374b:0671 (ST-LINK)\n`,
    probe_id: "0483:374b",
    level: "failed",
    detail:
      '"probe_id" must mean one probe: "0483:374b" means 2 that are connected',
    hint: PUT,
    fix: [
      'probe_id = "0483:374b:066D"   # STLink V2-1',
      'probe_id = "0483:374b:0671"   # STLink V2-1',
    ],
  },
  {
    name: "one that may not be opened",
    list: "[0]: STLink V3 -- 0483:374f:0042 (ST-LINK) (inaccessible)\n",
    level: "failed",
    detail:
      "STLink V3 (0483:374f:0042) is connected, and this user may not open it",
    hint:
      "let the user of the gateway open the probe: on Linux install deploy/69-probe-rs.rules and plug the probe in again",
  },
];

Deno.test("checkProbeRs offers no board the probe of another one", async () => {
  await withProbeRs(REAL_0_32, async (folder) => {
    await Deno.writeTextFile(join(folder, "list"), ONE);
    const probe_id = "0483:374b:0671";
    const otherProbes = ["0483:374b:066D"];
    const findings = await check({ probe_id, otherProbes }, folder);
    const finding = findings.find(({ subject }) => subject === "probe");
    assert.equal(
      finding?.detail,
      "only the probes of other boards are connected",
    );
    assert.doesNotMatch(finding?.hint ?? "", /probe_id/);
  });
});

for (const { name, list, probe_id, ...expected } of PROBE_CASES) {
  Deno.test(`checkProbeRs finds ${name}`, async () => {
    assert.deepEqual(await checkProbe(list, probe_id), {
      subject: "probe",
      ...expected,
    });
  });
}

Deno.test("checkProbeRs refuses a USB interface that this version does not take", async () => {
  const finding = await checkProbe(
    ONE,
    "0403:6010-1",
    "echo probe-rs 0.30.0",
  );
  assert.equal(finding?.level, "failed");
  assert.match(
    finding?.detail ?? "",
    /takes from 0\.31 on: it is "0403:6010-1"/,
  );
});

Deno.test("checkProbeRs warns of a version that may freeze the firmware", async () => {
  await withProbeRs("echo probe-rs 0.29.1", async (folder) => {
    const [finding] = await check({}, folder);
    assert.equal(finding?.level, "warning");
    assert.match(
      finding?.detail ?? "",
      /before 0\.30 the firmware can freeze when probe-rs ends$/,
    );
    assert.equal(finding?.fix?.length, 1);
  });
});

Deno.test("checkProbeRs fails a version that is too old, and names what an unknown one gets", async () => {
  await withProbeRs("echo probe-rs 0.23.0", async (folder) => {
    const [finding] = await check({}, folder);
    assert.equal(finding?.level, "failed");
    assert.match(
      finding?.detail ?? "",
      /must be of version 0\.24 or later: .* is 0\.23\.0$/,
    );
  });
  await withProbeRs("echo probe-rs 0.33.1", async (folder) => {
    const [finding] = await check({}, folder);
    assert.equal(finding?.level, "ok");
    assert.match(
      finding?.detail ?? "",
      /version 0\.33\.1 .* flags of that one$/,
    );
  });
});

Deno.test("checkProbeRs fails a program that is no probe-rs", async () => {
  await withProbeRs("echo hello", async (folder) => {
    const [finding] = await check({}, folder);
    assert.equal(finding?.level, "failed");
    assert.match(finding?.detail ?? "", /does not tell its version: hello/);
  });
});

Deno.test("checkProbeRs does not wait for an answer longer than its signal", async () => {
  await withProbeRs("/bin/sleep 1000 & wait", async (folder) => {
    const stop = new AbortController();
    stop.abort();
    const [finding] = await check({ signal: stop.signal }, folder);
    assert.equal(finding?.level, "failed");
  });
});

Deno.test("checkProbeRs looks for gateway.command instead, where there is one", async () => {
  await withProbeRs(REAL_0_32, async (folder) => {
    const own = join(folder, "probe-rs");
    assert.deepEqual(await check({ command: [own, "x"], chip: "NOPE" }, ""), [
      { level: "ok", subject: "command", detail: own },
    ]);
    const [finding] = await check({ command: ["printer"] }, folder);
    assert.equal(finding?.level, "failed");
    assert.equal(
      finding?.hint,
      'install it or correct "command" in config.toml',
    );
  });
});
