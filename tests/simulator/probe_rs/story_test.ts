import assert from "node:assert/strict";
import type { EventWord } from "../../../lib/simulator/probe_rs/scenario.ts";
import {
  type Called,
  Desk,
  events,
  Killed,
  minorOf,
  VERSIONS,
} from "./desk.ts";

const RUN = "run --chip STM32F446RETx fw.elf";
const ATTACH = "attach --chip STM32F446RETx fw.elf";
/** As the gateway calls it. */
const GO_ON = "--no-catch-reset --no-catch-hardfault";
const REATTACHED =
  " WARN probe_rs::util::rtt::client: RTT read pointer changed, re-attaching\n";

/** The board's clock in seconds, of each packet. */
function seconds({ stdout }: Pick<Called, "stdout">): number[] {
  return [...stdout.matchAll(/VCP: \{"ts":(\d+),/g)].map(([, ts]) =>
    Number(ts) / 1000
  );
}

function lines({ stdout }: Called): string[] {
  return stdout.split("\n").slice(0, -1);
}

Deno.test("run programs, resets and prints from the boot on, in whole lines, several a write", async () => {
  const desk = new Desk({ interval_s: 0.02 });
  const called = await desk.call(RUN, { until_s: 6 });
  assert.equal(called.code, 0);
  assert.equal(
    called.stderr,
    "     Finished in 1.00s\nReceived SIGTERM, exiting\n",
  );
  assert.match(called.stdout, /^\[INFO \] Gateway firmware started/);
  assert.equal(lines(called).at(-1), "Exited by user request");
  const all = seconds(called);
  assert.ok(all.length > 200, `${all.length}`);
  assert.deepEqual(all, all.map((_, i) => Math.round((i + 1) * 20) / 1000));
  assert.ok(called.chunks.every((chunk) => chunk.endsWith("\n")));
  const most = Math.max(...called.chunks.map((one) => one.split("\n").length));
  assert.ok(most > 4, "bursts");
});

Deno.test("run counts a flash cycle unless --preverify finds the flash equal; attach counts none", async () => {
  const desk = new Desk();
  const call = async (args: string) => {
    const until_s = secondsOf(desk) + 5;
    assert.equal((await desk.call(args, { until_s })).code, 0);
    return (await desk.record()).flash_cycles;
  };
  assert.equal(await call(RUN), 1);
  assert.equal(await call(RUN), 2);
  assert.equal(await call(`${RUN} --preverify`), 2);
  assert.equal(await call(ATTACH), 2);
  const other = "run --preverify --chip STM32F446RETx other.elf";
  assert.equal(await call(other), 3);
});

function secondsOf({ nowMs }: Desk): number {
  return (nowMs - Date.UTC(2026, 0, 1)) / 1000;
}

Deno.test("attach prints nothing where the flash is blank or holds another firmware; a run mends both", async () => {
  const desk = new Desk({ programmed: false, event: events([40, "blank"]) });
  const packets = async (args: string, until_s: number) =>
    seconds(await desk.call(args, { until_s })).length;
  assert.equal(await packets(ATTACH, 5), 0);
  assert.ok(await packets(RUN, 10) > 0);
  assert.ok(await packets(ATTACH, 15) > 0);
  assert.equal(await packets("attach other.elf", 20), 0);
  const swapped = await desk.call(ATTACH, { until_s: 50 });
  assert.equal(swapped.why, "target lost");
  assert.equal(await packets(ATTACH, 55), 0);
  assert.ok(await packets(`${RUN} --preverify`, 60) > 0);
});

Deno.test("attach finds the firmware that a scenario says is there", async () => {
  const called = await new Desk({ programmed: true })
    .at(10.5).call(ATTACH, { until_s: 13.5 });
  assert.deepEqual(seconds(called), [11, 12, 13]);
});

Deno.test("A buffer keeps its oldest lines while nobody reads, and gives them to the next reader at once", async () => {
  const desk = new Desk();
  const first = seconds(await desk.call(RUN, { until_s: 4.5 }));
  assert.deepEqual(first, [1, 2, 3]);
  const { stdout, chunks } = await desk.at(100).call(ATTACH, { until_s: 101 });
  const stale = seconds({ stdout: chunks[0] ?? "" });
  assert.deepEqual(stale.slice(0, 2), [4, 5]);
  assert.ok(stale.length < 8);
  assert.ok(seconds({ stdout }).at(-1)! > 98);
});

Deno.test("A killed reader leaves the firmware frozen until a run or a reset, by the version that set it to block", async () => {
  for (const version of VERSIONS) {
    const minor = minorOf(version);
    const event = events([70, "reset"]);
    const desk = new Desk({ version, event });
    // SIGTERM is no orderly end before 0.30.
    const end = minor < 30
      ? { until_s: 5, signal: "SIGTERM" } as const
      : { killed_s: 5 };
    await assert.rejects(desk.call(RUN, end), Killed);
    const isFrozen = minor < 28 || minor >= 30;
    const packets = async (args: string, until_s: number) =>
      seconds(
        await desk.call(`${args} ${minor < 28 ? "" : GO_ON}`.trim(), {
          until_s,
        }),
      ).length;
    assert.equal(await packets(ATTACH, 20) === 0, isFrozen, version);
    assert.equal((await desk.record()).freezes, isFrozen ? 1 : 0, version);
    assert.ok(await packets(ATTACH, 90) > 0, version);
  }
});

Deno.test("A reset that is not caught goes on with a warning, from the boot line on", async () => {
  for (const version of VERSIONS) {
    const minor = minorOf(version);
    const desk = new Desk({ version, event: events([5.5, "reset"]) });
    const flags = minor < 28 ? "" : ` ${GO_ON}`;
    const called = await desk.call(RUN + flags, { until_s: 9.3 });
    assert.equal(called.stderr.includes(REATTACHED), minor > 24, version);
    assert.equal(called.stdout.match(/Gateway firmware started/g)?.length, 2);
    assert.deepEqual(seconds(called), [1, 2, 3, 4, 1, 2, 3], version);
  }
});

Deno.test("A panic is logged; caught, it ends probe-rs with a stack trace, else all is silent until a reset", async () => {
  const event = events([5.5, "panic"]);
  const caught = await new Desk({ event }).call(RUN, { until_s: 60 });
  assert.ok(caught.end_s < 6);
  assert.match(
    caught.stdout,
    /\[ERROR\] panicked at wk5-gateway-firmware\/src\/radio\.rs:138:50:\ncalled .* \(panic_probe .*\nFirmware exited unexpectedly: Exception\nCore 0\n {4}Frame 0: HardFault_ @ 0x/,
  );
  const desk = new Desk({ event });
  const silent = await desk.call(`${RUN} ${GO_ON}`, { until_s: 60 });
  assert.equal(silent.why, "asked to stop");
  assert.match(lines(silent).at(-2)!, /^called /);
  const still = await desk.call(`${ATTACH} ${GO_ON}`, { until_s: 70 });
  assert.equal(still.stdout, "Exited by user request\n");
  const mended = await desk.call(`${RUN} --preverify`, { until_s: 80 });
  assert.ok(seconds(mended).length > 5);
});

interface Told {
  readonly words: readonly [EventWord, EventWord];
  /** Lines between the two, of ten packets. */
  holds(lines: readonly string[]): boolean;
}

const isPacket = (line: string) => line.includes("JSON sent via VCP");

/** What takes a board away, and brings it back. */
const LOST = [["unplug", "plug"], ["power_off", "power_on"]] as const;

const TOLD: readonly Told[] = [
  { words: ["silence", "speak"], holds: (lines) => lines.length === 0 },
  { words: ["no_rtt", "rtt"], holds: (lines) => lines.length === 0 },
  { words: ["stall", "go_on"], holds: (lines) => lines.length === 0 },
  {
    words: ["no_telemetry", "telemetry"],
    holds: (lines) => lines.length > 5 && !lines.some(isPacket),
  },
  {
    words: ["radio_off", "radio_on"],
    holds: (lines) =>
      lines.length > 5 &&
      lines.every((line) => isPacket(line) && line.includes('"n1":{}')),
  },
];

for (const { words: [from, to], holds } of TOLD) {
  Deno.test(`What "${from}" changes holds until "${to}"`, async () => {
    const event = events([20.5, from], [30.5, to]);
    const desk = new Desk({ event });
    const called = await desk.call(RUN, { until_s: 50 });
    assert.equal(called.code, 0);
    const plain = await new Desk().call(RUN, { until_s: 50 });
    const before = lines(plain).findIndex((line) =>
      line.includes('"ts":20000')
    );
    const until = lines(called).findIndex((line) =>
      line.includes('"ts":30000')
    );
    const changed = lines(called).slice(
      lines(called).findIndex((line) => line.includes('"ts":19000')) + 1,
      until < 0
        ? lines(called).findIndex((line) => line.includes('"ts":30000'))
        : until - 1,
    );
    assert.ok(before > 0);
    assert.ok(holds(changed), changed.join("\n"));
    assert.ok(seconds(called).includes(35));
  });
}

Deno.test("A stalled probe-rs hears no signal", async () => {
  const event = events([5, "stall"]);
  await assert.rejects(
    new Desk({ event }).call(RUN, { until_s: 10 }),
    /Nothing ends this call/,
  );
});

Deno.test("A probe-rs that hangs finds out later that its board was lost meanwhile", async () => {
  for (const [gone, back] of LOST) {
    const event = events([5, "stall"], [6, gone], [7, back], [8, "go_on"]);
    const called = await new Desk({ event }).call(RUN, { until_s: 20 });
    assert.equal(called.why, "target lost");
    assert.equal(called.code, 1);
  }
});

Deno.test("Damage comes where a scenario wants it, beside whole packets", async () => {
  const event = events(
    [3.2, "truncated_json"],
    [4.2, "replacement_character"],
    [5.2, "hex"],
  );
  const called = await new Desk({ event }).call(RUN, { until_s: 8 });
  assert.match(called.stdout, /"h":54\. \(wk5/);
  assert.match(called.stdout, /41\.5 \ufffd\ufffdC/);
  assert.match(called.stdout, /(?:0x[0-9a-f]{2}){20000}\[/);
  const noisy = await new Desk({ noise: true }).call(RUN, { until_s: 300 });
  const quiet = await new Desk().call(RUN, { until_s: 300 });
  assert.ok(noisy.stdout.includes("\ufffd"));
  const whole = new Set(lines(noisy));
  assert.deepEqual(lines(quiet).filter((line) => !whole.has(line)), []);
});

Deno.test("The same scenario prints the same, another seed something else", async () => {
  const print = async (seed: number) =>
    (await new Desk({ seed, noise: true }).call(RUN, { until_s: 60 })).stdout;
  assert.equal(await print(1), await print(1));
  assert.notEqual(await print(1), await print(2));
});

Deno.test("A scenario runs at its own speed", async () => {
  const desk = new Desk({ speed: 1000 });
  const before = desk.nowMs;
  const called = await desk.call(RUN, { until_s: 1000 });
  assert.ok(seconds(called).length > 900);
  assert.ok(desk.nowMs - before < 2000);
});

Deno.test("Two boards of a bench print different values, and share nothing", async () => {
  const probe = ["A", "B"].map((serial) => ({
    id: `0483:374b:${serial}`,
    chip: "STM32F446RETx",
    name: "STLink V2-1",
  }));
  const event = [{ at_s: 9, do: "unplug", probe: "0483:374b:A" }] as const;
  const desk = new Desk({ probe, event });
  const call = (serial: string) =>
    desk.at(0).call(`${RUN} --probe 0483:374b:${serial}`, { until_s: 12 });
  const [a, b] = [await call("A"), await call("B")];
  assert.equal(a.why, "target lost");
  assert.equal(b.why, "asked to stop");
  assert.notEqual(lines(a)[1], lines(b)[1]);
});

Deno.test("stdout that is closed ends probe-rs, since 0.28 with a panic", async () => {
  const writes = new Map([[3, "closed" as const]]);
  for (const version of VERSIONS) {
    const { code, stderr } = await new Desk({ version })
      .call(RUN, { writes });
    assert.equal(code, minorOf(version) < 28 ? 1 : 101, version);
    assert.match(stderr, /Broken pipe \(os error 32\)/);
  }
});

Deno.test("What comes while stdout is not read for over a second is dropped, since 0.28", async () => {
  for (const version of VERSIONS) {
    const isDropped = minorOf(version) >= 28;
    const called = await new Desk({ version })
      .call(RUN, { until_s: 20, writes: new Map([[3, 5500]]) });
    assert.equal(called.stderr.includes("Message dropped"), isDropped, version);
    const all = seconds(called);
    assert.equal(all.length < all.at(-1)!, isDropped, `${version}: ${all}`);
  }
});

Deno.test("A signal is answered as the version answers it", async () => {
  for (const version of VERSIONS) {
    const minor = minorOf(version);
    const { code, stdout, stderr } = await new Desk({ version })
      .call(RUN, { until_s: 5, signal: "SIGINT" });
    assert.equal(code, minor === 28 ? 1 : 0, version);
    assert.equal(stderr.includes("Received Ctrl+C, exiting"), minor >= 28);
    const said = stdout.endsWith("Exited by user request\n");
    assert.equal(said, minor >= 29, version);
  }
});

const MENDED = [
  ["unplug", "plug"],
  ["power_off", "power_on"],
  ["busy", "free"],
  ["no_permission", "permission"],
  ["erase_fails", "erase_works"],
] as const;

for (const [from, to] of MENDED) {
  Deno.test(`What "${from}" breaks works again after "${to}"`, async () => {
    const desk = new Desk({ event: events([1, from], [5, to]) });
    assert.equal((await desk.at(2).call(RUN)).code, 1);
    const called = await desk.at(6).call(RUN, { until_s: 12 });
    assert.equal(called.code, 0);
    assert.ok(seconds(called).length > 3);
  });
}
