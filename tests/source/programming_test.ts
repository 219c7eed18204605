import assert from "node:assert/strict";
import { ofBoard } from "../../lib/source/board_log.ts";
import { recognizeFailure } from "../../lib/source/failure.ts";
import type { FlashMode } from "../../lib/source/programming.ts";
import { FINISHED, FlashWorld, TARGET } from "./flash_world.ts";
import { captureLog } from "./log_capture.ts";

/** What is remembered before the start, from nothing to all that the start will ask for. */
type Remembered = "nothing" | "same" | "file" | "chip" | "probe";

interface Case {
  readonly mode: FlashMode;
  readonly remembered: Remembered;
  readonly silentRestarts?: number;
  /** False: a probe-rs before 0.25. */
  readonly comparesFirst?: boolean;
  readonly command: "run" | "attach";
}

const CASES: readonly Case[] = [
  { mode: "when-changed", remembered: "nothing", command: "run" },
  { mode: "when-changed", remembered: "same", command: "attach" },
  { mode: "when-changed", remembered: "file", command: "run" },
  { mode: "when-changed", remembered: "chip", command: "run" },
  { mode: "when-changed", remembered: "probe", command: "run" },
  { mode: "always", remembered: "nothing", command: "run" },
  { mode: "always", remembered: "same", command: "run" },
  { mode: "always", remembered: "file", command: "run" },
  { mode: "never", remembered: "nothing", command: "attach" },
  { mode: "never", remembered: "same", command: "attach" },
  { mode: "never", remembered: "file", command: "attach" },
  ...([1, 2, 5].flatMap((silentRestarts): Case[] => [
    {
      mode: "when-changed",
      remembered: "same",
      silentRestarts,
      command: silentRestarts >= 2 ? "run" : "attach",
    },
    { mode: "always", remembered: "same", silentRestarts, command: "run" },
    { mode: "never", remembered: "same", silentRestarts, command: "attach" },
  ])),
];

for (const comparesFirst of [true, false]) {
  for (
    const { mode, remembered, silentRestarts = 0, command } of CASES
  ) {
    const version = comparesFirst ? "0.25 or later" : "0.24";
    Deno.test(`The first start with flash "${mode}", ${remembered} remembered, ${silentRestarts} silent restarts and probe-rs ${version} is "${command}"`, async () => {
      await using world = await FlashWorld.make();
      if (remembered !== "nothing") {
        const before = {
          ...TARGET,
          ...(remembered === "chip" ? { chip: "STM32F411RETx" } : {}),
          ...(remembered === "probe" ? { probe_id: "0483:374b:0672" } : {}),
        };
        await world.restart({ target: before });
        if (remembered === "file") world.file.content = "another";
        assert.equal(await world.begin(), "run");
        await world.succeed();
        world.file.content = "one";
      }
      await world.restart({ mode });
      const given = { silentRestarts, comparesFirst };
      assert.equal(await world.begin(given), command);
    });
  }
}

Deno.test("A probe_id in another case is the same probe", async () => {
  await using world = await FlashWorld.make();
  await world.begin();
  await world.succeed();
  await world.restart({ target: { ...TARGET, probe_id: "483:374B:0671" } });
  assert.equal(await world.begin(), "attach");
});

Deno.test("Without a probe_id the only probe is one like another", async () => {
  const { probe_id: _, ...target } = TARGET;
  await using world = await FlashWorld.make({ target });
  assert.equal(await world.begin(), "run");
  await world.succeed();
  assert.equal(await world.begin(), "attach");
});

Deno.test("A board is programmed once, and attached to ever after", async () => {
  await using world = await FlashWorld.make();
  assert.equal(await world.begin(), "run");
  await world.succeed();
  for (let start = 0; start < 3; start++) {
    assert.equal(await world.begin(), "attach");
    await world.kill();
  }
  assert.equal(world.flash.report.cyclesAtMost, 1);
});

Deno.test("What is programmed is logged as of its board", async () => {
  await using log = await captureLog();
  await using world = await FlashWorld.make();
  await ofBoard("yard", async () => {
    await world.begin();
    await world.succeed();
  });
  assert.match(log.lines.join(), /The board has the firmware .* \(yard\)$/);
});

const SIGNS: readonly [name: string, show: (world: FlashWorld) => void][] = [
  [
    "0.24's line on stderr",
    (world) => world.programming.takeStderr("    Finished in 1.234s"),
  ],
  ["0.32's line on stderr", (world) => world.programming.takeStderr(FINISHED)],
  [
    "the first byte on stdout",
    (world) => world.programming.takeStdout(new TextEncoder().encode("b")),
  ],
];

for (const [name, show] of SIGNS) {
  Deno.test(`That it is programmed is remembered at ${name}, before the child ends`, async () => {
    await using world = await FlashWorld.make();
    await world.begin();
    show(world);
    await world.settled();
    await world.kill();
    assert.equal(await world.begin(), "attach");
  });
}

Deno.test("The question which probe is meant is no sign, nor is what comes behind it", async () => {
  await using world = await FlashWorld.make();
  const print = (text: string) =>
    world.programming.takeStdout(new TextEncoder().encode(text));
  await world.begin();
  print("Available Probes:\n0: STLink V2-1 -- 0483:374b:0671 (ST-LINK)\n");
  print("Selection: ");
  const failed = { code: 1, error: "Error: Failed to parse probe index" };
  world.programming.ended(recognizeFailure(failed));
  assert.deepEqual(world.flash.report, {
    firmware: null,
    cyclesAtMost: 0,
    likelyNone: 0,
  });
  assert.equal(await world.begin(), "run");
  print("boot\n");
  await world.settled();
  assert.equal(await world.begin(), "attach");
});

Deno.test("Another line on stderr is no sign", async () => {
  await using world = await FlashWorld.make();
  await world.begin();
  world.programming.takeStderr(" WARN probe_rs: Finished in 3s");
  world.programming.takeStderr("Erasing");
  await world.settled();
  assert.equal(await world.begin(), "run");
});

Deno.test("A sign of a child that only attaches says nothing", async () => {
  await using world = await FlashWorld.make({ mode: "never" });
  assert.equal(await world.begin(), "attach");
  await world.succeed();
  assert.equal(world.flash.report.firmware, null);
});

Deno.test("A file that is replaced while it is programmed is programmed again", async () => {
  await using world = await FlashWorld.make();
  await world.begin();
  world.file.content = "two";
  await world.succeed();
  assert.equal(await world.begin(), "run");
  await world.succeed();
  assert.equal(await world.begin(), "attach");
});

const BEFORE = [
  "Error: No connected probes were found.",
  "Error: The chip 'x' was not found in the database.",
  "Error: Failed to open the debug probe. (caused by: Device or resource busy (os error 16))",
  "Error: Connecting to the chip was unsuccessful.",
];

Deno.test("A run that ended before it programmed leaves what was remembered, and does not count", async () => {
  for (const error of BEFORE) {
    await using world = await FlashWorld.make();
    await world.begin();
    await world.succeed();
    world.file.content = "two";
    for (let start = 0; start < 3; start++) {
      assert.equal(await world.begin(), "run");
      world.programming.ended(recognizeFailure({ code: 1, error }));
    }
    world.file.content = "one";
    await world.restart();
    assert.equal(await world.begin(), "attach", error);
    assert.equal(world.flash.report.cyclesAtMost, 1, error);
  }
});

const PERHAPS = [
  "Error: An error with the flashing procedure has occurred. (caused by: Failed to erase flash sector at address 0x08000000)",
  "Error: An error with the flashing procedure has occurred. (caused by: USB Communication Error; Input/output error (os error 5))",
  "Error: The flashing procedure failed for 'fw.elf'. (caused by: No such device (os error 19))",
  "thread 'main' panicked at src/main.rs:1:1: oh",
];

Deno.test("A run that failed while it may have programmed counts, and what was remembered is forgotten", async () => {
  for (const error of PERHAPS) {
    await using world = await FlashWorld.make();
    await world.begin();
    await world.succeed();
    world.file.content = "two";
    await world.begin();
    world.programming.ended(recognizeFailure({ code: 1, error }));
    world.file.content = "one";
    assert.equal(await world.begin(), "run", error);
    assert.equal(world.flash.report.cyclesAtMost, 3, error);
  }
});

Deno.test("A run that was cut short by a kill or on request may have programmed", async () => {
  for (const cut of ["kill", "request"]) {
    await using world = await FlashWorld.make();
    await world.begin();
    await world.succeed();
    world.file.content = "two";
    await world.begin();
    world.file.content = "one";
    if (cut === "kill") await world.kill();
    assert.equal(world.flash.report.firmware, null);
    assert.equal(world.flash.report.cyclesAtMost, 2);
    assert.equal(await world.begin(), "run", cut);
  }
});

Deno.test("A run that was never started has programmed nothing", async () => {
  await using world = await FlashWorld.make();
  await world.begin();
  await world.succeed();
  world.file.content = "two";
  const reported = world.flash.report;
  assert.equal(await world.prepare({}, AbortSignal.abort()), "run");
  assert.deepEqual(world.flash.report, reported, "stopped meanwhile");
  assert.equal(await world.prepare(), "run");
  world.programming.ended(
    recognizeFailure({ code: 126, error: "Cannot start it: no memory" }),
  );
  assert.deepEqual(world.flash.report, reported, "it could not be spawned");
  assert.equal(await world.prepare(), "run");
  world.file.content = "one";
  assert.equal(await world.prepare(), "attach", "another order came first");
  assert.deepEqual(world.flash.report, reported);
});

Deno.test("A silent board is programmed once in a silence, and again only in the next", async () => {
  await using world = await FlashWorld.make();
  await world.begin();
  await world.succeed();
  const commands: unknown[] = [];
  const start = async (silentRestarts: number) => {
    commands.push(await world.begin({ silentRestarts }));
    await world.succeed();
  };
  for (const silent of [0, 1, 2, 3, 4, 0, 1, 2, 3]) await start(silent);
  assert.deepEqual(commands, [
    ...["attach", "attach", "run", "attach", "attach"],
    ...["attach", "attach", "run", "attach"],
  ]);
});

Deno.test("A board in which probe-rs finds no RTT twice in a row is programmed once, and again only after it has printed", async () => {
  await using world = await FlashWorld.make();
  await world.begin();
  await world.succeed();
  const commands: unknown[] = [];
  const start = async () => {
    commands.push(await world.begin());
    world.programming.takeStderr(FINISHED);
    await world.settled();
  };
  const error = "Error: No RTT control block was found";
  const vain = async () => {
    await start();
    world.programming.ended(recognizeFailure({ code: 1, error }));
  };
  for (let starts = 0; starts < 5; starts++) await vain();
  await start();
  world.programming.takeStdout(new TextEncoder().encode("[INFO ] boot\n"));
  for (let starts = 0; starts < 3; starts++) await vain();
  assert.deepEqual(commands, [
    ...["attach", "attach", "run", "attach", "attach"],
    "attach",
    ...["attach", "attach", "run"],
  ]);
});

Deno.test("A silent board whose probe is missing is programmed when that is back", async () => {
  await using world = await FlashWorld.make();
  await world.begin();
  await world.succeed();
  const [error = ""] = BEFORE;
  assert.equal(await world.begin({ silentRestarts: 2 }), "run");
  world.programming.ended(recognizeFailure({ code: 1, error }));
  assert.equal(await world.begin({ silentRestarts: 2 }), "run");
  await world.succeed();
  assert.equal(await world.begin({ silentRestarts: 2 }), "attach");
});

Deno.test('"always" programs at every start where probe-rs compares first, else at the first of a gateway', async () => {
  for (const comparesFirst of [true, false]) {
    await using world = await FlashWorld.make({ mode: "always" });
    const commands: unknown[] = [];
    for (let gateway = 0; gateway < 2; gateway++) {
      for (let start = 0; start < 3; start++) {
        commands.push(await world.begin({ comparesFirst }));
        await world.succeed();
      }
      await world.kill();
    }
    const later = comparesFirst ? "run" : "attach";
    const each = ["run", later, later];
    assert.deepEqual(commands, [...each, ...each]);
  }
});

Deno.test("A run that most likely writes nothing is counted as such: probe-rs compares, and the firmware is the one remembered", async () => {
  await using world = await FlashWorld.make({ mode: "always" });
  const counts = () => {
    const { cyclesAtMost, likelyNone } = world.flash.report;
    return [cyclesAtMost, likelyNone];
  };
  await world.begin();
  await world.succeed();
  assert.deepEqual(counts(), [1, 0]);
  await world.begin();
  await world.succeed();
  assert.deepEqual(counts(), [2, 1]);
  await world.begin();
  world.programming.ended(
    recognizeFailure({ code: 1, error: BEFORE[0] }),
  );
  assert.deepEqual(counts(), [2, 1], "one that did not come so far");
  await world.begin({ silentRestarts: 2 });
  await world.succeed();
  assert.deepEqual(counts(), [3, 1], "the board may have been swapped");
  await world.kill();
  await world.begin({ comparesFirst: false });
  await world.succeed();
  assert.deepEqual(counts(), [4, 1], "0.24 writes always");
});

Deno.test("A firmware that cannot be read is a failure, and nothing is started or counted", async () => {
  await using world = await FlashWorld.make();
  const missing = recognizeFailure({
    code: 1,
    error: "Failed to read firmware from x",
  });
  await world.restart({
    file: {
      ...world.file,
      ...{
        read: () => Promise.resolve(missing),
        isStill: () => Promise.resolve(false),
      },
    },
  });
  assert.deepEqual(await world.begin(), missing);
  assert.equal(world.flash.report.cyclesAtMost, 0);
});

/** Watches a file that is replaced at the second look, for five looks. */
async function watch(
  mode: FlashMode,
  reflashOnChange: boolean,
  contents = ["one", "two", "two", "two", "one"],
): Promise<string[]> {
  const stop = new AbortController();
  const restarts: string[] = [];
  await using world = await FlashWorld.make({
    mode,
    reflashOnChange,
    wait: (ms) => {
      assert.ok(ms >= 1000, "not faster than once a second");
      const next = contents.shift();
      if (next === undefined) stop.abort();
      else world.file.content = next;
      return Promise.resolve();
    },
  });
  await world.begin();
  await world.succeed();
  await world.programming.watch((why) => restarts.push(why), stop.signal);
  return restarts;
}

Deno.test("A replaced file is said once, and starts nothing anew unless that is wanted", async () => {
  await using log = await captureLog();
  assert.deepEqual(await watch("when-changed", false), []);
  const warnings = log.lines.filter((line) => line.includes("warning"));
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0] ?? "",
    /^source warning: The firmware "\/srv\/fw\.elf" was replaced \(7692c3ad3540 by 3fc4ccfe7458\): the board goes on .* set "reflash_on_change" in config\.toml$/,
  );
});

Deno.test("A replaced file starts the child anew with reflash_on_change", async () => {
  const restarts = await watch("when-changed", true);
  assert.deepEqual(restarts, [
    'The firmware "/srv/fw.elf" was replaced (7692c3ad3540 by 3fc4ccfe7458), the board is programmed',
  ]);
});

Deno.test("A board that is being programmed is left alone, and a child that hangs over it is not for ever", async () => {
  let now = 0;
  await using world = await FlashWorld.make({ now: () => now });
  const isUnderWay = () => world.programming.isUnderWay;
  assert.equal(isUnderWay(), false);
  await world.prepare();
  assert.equal(isUnderWay(), false, "it does not run yet");
  world.programming.started();
  now = 299_999;
  assert.equal(isUnderWay(), true);
  now = 300_000;
  assert.equal(isUnderWay(), false, "it hangs");
  await world.begin();
  assert.equal(isUnderWay(), true);
  await world.succeed();
  assert.equal(isUnderWay(), false);
});

Deno.test("A file that is replaced while the board is being programmed is dealt with afterwards", async () => {
  const stop = new AbortController();
  const restarts: string[] = [];
  let looks = 0;
  await using world = await FlashWorld.make({
    reflashOnChange: true,
    wait: async () => {
      looks++;
      if (looks === 1) world.file.content = "two";
      if (looks === 2) assert.deepEqual(restarts, []);
      if (looks === 2) await world.succeed();
      if (looks === 3) stop.abort();
    },
  });
  await world.begin();
  await world.programming.watch((why) => restarts.push(why), stop.signal);
  assert.equal(restarts.length, 1);
});

Deno.test('A replaced file is the operator\'s affair where flash is "never"', async () => {
  await using log = await captureLog();
  assert.deepEqual(await watch("never", true), []);
  assert.ok(
    log.lines.some((line) => line.includes("program it yourself")),
    log.lines.join("\n"),
  );
});
