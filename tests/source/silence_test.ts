import assert from "node:assert/strict";
import { join } from "node:path";
import { createCatalogue } from "../../lib/catalogue.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import type { StartReason } from "../../lib/source/launcher.ts";
import { type SilenceFacts, whatToDo } from "../../lib/source/silence.ts";
import { Source, type SourceOptions } from "../../lib/source/source.ts";
import { UnknownFields } from "../../lib/source/unknown_fields.ts";
import { FakeTime, until } from "./fake_time.ts";
import { captureLog } from "./log_capture.ts";

const PATH = Deno.env.get("PATH") ?? "";

/** A source of a shell script, in a time of its own and a folder of its own. */
async function sourceOf(script: string, options: Partial<SourceOptions> = {}) {
  const folder = await Deno.makeTempDir();
  const time = new FakeTime();
  const reasons: StartReason[] = [];
  let packets = 0;
  const source = new Source({
    launcher: {
      name: "reader",
      prepare: (_signal, reason) => {
        reasons.push(reason);
        return Promise.resolve({
          command: ["/bin/sh", "-c", script],
          cwd: folder,
        });
      },
    },
    env: { PATH },
    marker: "T: ",
    maxLineBytes: 200,
    catalogue: createCatalogue(),
    clock: new EventClock({
      now: () => ({ epoch: 1, monoUs: performance.now() * 1000 }),
    }),
    backoff: () => ({ next: () => 10_000, reset() {} }),
    stopTimeoutMs: 1000,
    write: (some) => void (packets += some.length),
    onReject() {},
    now: time.now,
    wait: time.wait,
    ...options,
  });
  return {
    source,
    time,
    reasons,
    packets: () => packets,
    /** The script waits for it. */
    order: (name: string) => Deno.writeTextFile(join(folder, name), ""),
    /** Comes when the script has made the file. */
    made: (name: string) => until(() => isThere(join(folder, name))),
    async [Symbol.asyncDispose]() {
      await source.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** In a script: waits for an order. */
const order = (name: string) => `while ! test -e ${name}; do sleep 0.01; done`;
const PACKET = `echo 'T: {"n1":{"t":1},"n2":{"t":2}}'`;
const OTHER = `echo 'T: {"n2":{"t":2}}'`;

Deno.test("Source tells of a board that prints nothing, starts its program anew, and says that telemetry comes again", async () => {
  await using log = await captureLog();
  await using board = await sourceOf(
    `if test -e once; then ${PACKET}; exit 1; fi; touch once; exec sleep 1000`,
  );
  const { source, time, reasons } = board;
  source.run();
  await until(() => source.state.phase === "running");
  // Or the next one would not know that there was one before it.
  await board.made("once");
  await time.pass(122);
  const { silence } = source.state;
  const todo =
    'look at what "reader" waits for: "command" in config.toml starts it';
  assert.deepEqual(silence, {
    kind: "no output",
    forMs: 122_000,
    restarts: 0,
    lines: 0,
    todo,
  });
  await time.pass(119);
  await until(() => source.state.phase === "waiting");
  assert.equal(source.state.silence, undefined);
  await time.pass(10);
  await until(() => reasons.length === 3);
  const counts = reasons.map(({ silentRestarts }) => silentRestarts);
  assert.deepEqual(counts, [0, 1, 0]);
  assert.deepEqual(
    log.lines.filter((line) => / (info|warning): [TN]|anew/.test(line)),
    [
      `source warning: No telemetry for 2 min: "reader" runs and prints no line at all. To do: ${todo}`,
      'source info: Starting "reader" anew: no telemetry has come for 4 min',
      "source info: Telemetry again after 4 min and 1 restart for it",
    ],
  );
});

Deno.test("Source misses a node of before it was made, if that still has a place in the catalogue", async () => {
  await using log = await captureLog();
  await using board = await sourceOf(
    `${order("speak")}; ${OTHER}; ${order("again")}; ${OTHER}; exec sleep 1000`,
    { knownPaths: ["n1.t", "n1.h", "n2.t", "n7.t"], silenceTimeoutMs: 5e6 },
  );
  const { source, time, packets } = board;
  source.run();
  await until(() => source.state.phase === "running");
  await board.order("speak");
  await until(() => packets() === 1);
  const missed = () => source.state.silentNodes?.map(({ node }) => node);
  assert.equal(missed(), undefined);
  await time.pass(901);
  await board.order("again");
  await until(() => packets() === 2);
  assert.deepEqual(missed(), ["node1"]);
  assert.match(`${log.lines}`, /No readings of "node1" for 15 min/);
});

Deno.test("Source calls no board silent that is being programmed, and waits anew when that is over", async () => {
  await using log = await captureLog();
  const launcher = {
    name: "reader",
    isProgramming: true,
    prepare: () =>
      Promise.resolve({ command: ["/bin/sh", "-c", "exec sleep 1000"] }),
  };
  await using board = await sourceOf("", {
    launcher,
    silenceTimeoutMs: 20_000,
  });
  const { source, time } = board;
  source.run();
  await until(() => source.state.phase === "running");
  await time.pass(90);
  const kind = () => source.state.silence?.kind;
  assert.equal(kind(), undefined);
  launcher.isProgramming = false;
  await time.pass(29);
  assert.equal(kind(), undefined);
  await time.pass(31);
  assert.equal(kind(), "no output");
  assert.match(
    log.lines.findLast((line) => line.includes("No telemetry")) ?? "",
    /^source warning: No telemetry for 2\d s/,
  );
});

Deno.test("Source tells of a silence and of its end as changes of its state", async () => {
  await using _log = await captureLog();
  const told: (string | undefined)[] = [];
  await using board = await sourceOf(
    `${order("speak")}; ${PACKET}; exec sleep 1000`,
    { silenceTimeoutMs: 20_000, onStateChange: () => tell() },
  );
  const { source, time, packets } = board;
  const tell = () => {
    const { phase, silence } = source.state;
    told.push(phase === "running" ? silence?.kind : phase);
  };
  source.run();
  await until(() => source.state.phase === "running");
  await time.pass(22);
  assert.equal(told.at(-1), "no output");
  await board.order("speak");
  await until(() => packets() === 1);
  assert.equal(told.at(-1), undefined);
});

Deno.test("Source says apart log lines without telemetry, and a panic", async () => {
  await using log = await captureLog();
  await using board = await sourceOf(
    `${PACKET}; ${order("log")}; echo hello; ${
      order("panic")
    }; echo "panicked at src/main.rs:1:2:"; echo "no radio"; exec sleep 1000`,
    { silenceTimeoutMs: 20_000 },
  );
  const { source, time, packets } = board;
  source.run();
  await until(() => packets() === 1);
  await board.order("log");
  await until(() => source.counters.other === 1);
  await time.pass(21);
  assert.equal(source.state.silence?.kind, "no telemetry");
  assert.match(
    source.state.silence.todo,
    /the newest lines hold no JSON object: /,
  );
  assert.ok(log.lines.some((line) => line.includes("prints only log lines")));
  await board.order("panic");
  await until(() => source.state.lastPanic !== undefined);
  await time.pass(3);
  assert.match(source.state.silence.todo, /firmware panicked/);
  assert.deepEqual(source.state.lastPanic, {
    message: "no radio",
    location: "src/main.rs:1:2",
    agoMs: 3000,
  });
});

Deno.test("Source knows that a panic came behind the last packet, also where both are read at once", async () => {
  await using _log = await captureLog();
  await using board = await sourceOf(
    `printf '%s\\n' 'T: {"n1":{"t":20}}' 'panicked at src/main.rs:1:2:' 'no radio'; exec sleep 1000`,
    { silenceTimeoutMs: 20_000 },
  );
  const { source, time, packets } = board;
  source.run();
  await until(() => packets() === 1);
  await time.pass(21);
  assert.match(source.state.silence!.todo, /firmware panicked/);
});

Deno.test("Source tells of a node that is silent while others speak, and leaves its program alone", async () => {
  await using log = await captureLog();
  await using board = await sourceOf(
    `for i in 1 2 3; do ${order("both$i")}; ${PACKET}; done
     for i in 1 2; do ${order("one$i")}; ${OTHER}; done
     ${order("again")}; ${PACKET}; exec sleep 1000`,
  );
  const { source, time, packets, reasons } = board;
  source.run();
  const names = ["both1", "both2", "both3", "one1", "one2", "again"];
  for (const [index, name] of names.entries()) {
    await time.pass(20);
    await board.order(name);
    await until(() => packets() === index + 1);
    if (name === "one1") await time.pass(75);
    if (name === "one2") {
      assert.deepEqual(source.state.silentNodes, [
        { node: "node1", forMs: 115_000 },
      ]);
    }
  }
  assert.equal(source.state.silentNodes, undefined);
  assert.equal(reasons.length, 1);
  assert.deepEqual(
    log.lines.filter((line) =>
      line.includes("Readings of") || line.includes("No readings")
    ),
    [
      'source warning: No readings of "node1" for 115 s, while others come. To do: look at its power, and at the radio between it and the board',
      'source info: Readings of "node1" again after 2 min',
    ],
  );
});

Deno.test("Source that is released is not silent, and begins anew afterwards", async () => {
  await using log = await captureLog();
  await using board = await sourceOf("exec sleep 1000", {
    silenceTimeoutMs: 20_000,
  });
  const { source, time, reasons } = board;
  source.run();
  await until(() => source.state.phase === "running");
  const silence = () => source.state.silence;
  await time.pass(21);
  assert.equal(silence()?.restarts, 0);
  await source.release(3_600_000);
  await time.pass(3599);
  assert.equal(source.state.phase, "released");
  assert.equal(silence(), undefined);
  await time.pass(1);
  await until(() => source.state.phase === "running");
  assert.deepEqual(reasons, Array(2).fill({ silentRestarts: 0 }));
  assert.equal(silence(), undefined);
  await time.pass(21);
  assert.equal(silence()?.forMs, 21_000);
  const alarms = log.lines.filter((line) => line.includes("No telemetry for"));
  assert.equal(alarms.length, 2);
});

Deno.test("Source whose silence is nobody's matter says nothing of it", async () => {
  await using log = await captureLog();
  await using board = await sourceOf("exec sleep 1000", {
    silenceTimeoutMs: 0,
  });
  const { source, time } = board;
  source.run();
  await until(() => source.state.phase === "running");
  await time.pass(86_400);
  assert.equal(source.state.silence, undefined);
  assert.equal(source.state.restarts, 0);
  assert.ok(!log.lines.some((line) => line.includes("No telemetry")));
});

const FACTS: SilenceFacts = {
  kind: "no output",
  program: "probe-rs",
  hasPrinted: false,
  panicked: false,
};
const TODO: [what: string, facts: Partial<SilenceFacts>, todo: RegExp][] = [
  ["no RTT", {}, /"firmware_path" in config\.toml is the ELF.*control block/],
  ["a firmware that stopped", { hasPrinted: true }, /power and reset it/],
  ["a panic", { hasPrinted: true, panicked: true }, /reset.*panicked/],
  ["log lines alone", { kind: "no telemetry" }, /marker.*rejects/],
  ["another program", { program: "cat" }, /"cat" waits for/],
];
for (const [what, facts, todo] of TODO) {
  Deno.test(`A silence by ${what} says what to do`, () => {
    assert.match(whatToDo({ ...FACTS, ...facts }), todo);
  });
}

Deno.test("Source says soon that a new board's lines are no telemetry, and what to do", async () => {
  await using log = await captureLog();
  await using board = await sourceOf(
    `for i in 1 2 3 4 5 6 7 8 9 10 11; do echo "I ($i) radio: data: {\\"t\\":2$i.5}"; done; ${
      order("on")
    }; exec sleep 1000`,
  );
  const { source } = board;
  source.run();
  await until(() => source.counters.other === 11);
  assert.deepEqual(
    log.lines.filter((line) => line.includes("No telemetry")).map((line) =>
      line.slice(line.indexOf("No telemetry"))
    ),
    [
      String
        .raw`No telemetry in 5 lines so far, such as "I (5) radio: data: {"t":25.5}". To do: the lines hold JSON; gateway.marker is "T: ", and stands before none: set marker = "radio: data: " under [gateway] in config.toml (marker = "" takes any line that holds one JSON object)`,
    ],
  );
});

Deno.test("Source says which value does not come as often as it should, and when it does again", async () => {
  await using log = await captureLog();
  const own = createCatalogue().get("n1.t")!;
  await using board = await sourceOf(
    `${PACKET}; for i in 1 2 3 4 5; do ${order("other$i")}; ${OTHER}; done; ${
      order("speak")
    }; ${PACKET}; exec sleep 1000`,
    {
      catalogue: createCatalogue([{ ...own, expectIntervalS: 10 }]),
      topicOf: () => "iiot/node1/temperature",
      silenceTimeoutMs: 0,
    },
  );
  const { source, time, packets } = board;
  const said = () =>
    log.lines.filter((line) => line.includes("iiot/")).map((line) =>
      line.slice(line.indexOf('"iiot'))
    );
  source.run();
  await until(() => packets() === 1);
  for (let i = 1; i <= 3; i++) {
    assert.equal(source.state.missedValues, undefined);
    await time.pass(10);
    await board.order(`other${i}`);
    await until(() => packets() === 1 + i);
  }
  await time.pass(2);
  assert.deepEqual(source.state.missedValues, [
    { topic: "iiot/node1/temperature", forMs: 32_000, everyMs: 10_000 },
  ]);
  await time.pass(60);
  await board.order("other4");
  await until(() => packets() === 5);
  await board.order("other5");
  await board.order("speak");
  await until(() => packets() === 7);
  assert.equal(source.state.missedValues, undefined);
  const [missed, back, ...more] = said();
  assert.match(
    missed!,
    /^"iiot\/node1\/temperature" has not come for 3\d s, though it is expected every 10 s\. To do: /,
  );
  assert.equal(back, '"iiot/node1/temperature" comes again after 92 s');
  assert.deepEqual(more, []);
});

Deno.test("Source misses a value of before it was made, from when its program runs", async () => {
  await using log = await captureLog();
  const own = createCatalogue().get("n1.t")!;
  await using board = await sourceOf("exec sleep 1000", {
    catalogue: createCatalogue([{ ...own, expectIntervalS: 10 }]),
    knownPaths: ["n1.t"],
    silenceTimeoutMs: 0,
  });
  const { source, time } = board;
  await time.pass(500);
  source.run();
  await until(() => source.state.phase === "running");
  const missed = () => source.state.missedValues?.length ?? 0;
  await time.pass(28);
  assert.equal(missed(), 0);
  await time.pass(4);
  assert.equal(missed(), 1);
  assert.match(`${log.lines}`, /"node1\/temperature" has not come for 3\d s/);
});

Deno.test("Source misses a value that is expected rarely, though its program is started anew again and again", async () => {
  await using _log = await captureLog();
  const own = createCatalogue().get("n1.t")!;
  await using board = await sourceOf(
    `test -e spoken || { touch spoken; ${PACKET}; }; ${
      order("end")
    }; rm end; exit 1`,
    {
      catalogue: createCatalogue([{ ...own, expectIntervalS: 3600 }]),
      silenceTimeoutMs: 0,
    },
  );
  const { source, time, packets } = board;
  const missed = () => source.state.missedValues?.length ?? 0;
  source.run();
  await until(() => packets() === 1);
  for (let i = 0; i < 3; i++) {
    assert.equal(missed(), 0);
    await until(() => source.state.phase === "running");
    await time.pass(3440);
    await board.order("end");
    await until(() => source.state.phase === "waiting");
    await time.pass(10);
  }
  await until(() => source.state.phase === "running");
  await time.pass(470);
  assert.equal(missed(), 0);
  await time.pass(20);
  assert.equal(missed(), 1, "behind 3 h that it ran");
});

Deno.test("Source misses no node of fields that no metric names, now or before", async () => {
  await using log = await captureLog();
  const catalogue = createCatalogue([], { hasFields: true });
  await using board = await sourceOf(
    `echo 'T: {"kind":1,"motor":{"on":true}}'; ${
      order("speak")
    }; ${OTHER}; exec sleep 1000`,
    {
      catalogue,
      knownPaths: ["level", "tank.level"],
      unknownFields: new UnknownFields({ mode: "publish", catalogue }),
      silenceTimeoutMs: 5e6,
    },
  );
  const { source, time, packets } = board;
  source.run();
  await until(() => packets() === 1);
  await time.pass(901);
  await board.order("speak");
  await until(() => packets() === 2);
  assert.equal(source.state.silentNodes, undefined);
  assert.doesNotMatch(`${log.lines}`, /No readings of/);
});

Deno.test("Source shows of a silent board no secret that a line of it has", async () => {
  await using board = await sourceOf(
    "echo 'login with pass:word'; exec sleep 1000",
    {
      hide: (text) => text.replaceAll("pass:word", "…"),
      silenceTimeoutMs: 1e4,
    },
  );
  const { source, time } = board;
  source.run();
  await until(() => source.counters.lines === 1);
  await time.pass(15);
  await until(() => source.state.silence !== undefined);
  assert.equal(source.state.silence?.sample, "login with …");
});
