import assert from "node:assert/strict";
import { BoardStates } from "../../lib/monitor/board_states.ts";
import { wordOfChild } from "../../lib/monitor/child_status.ts";
import type { SourceState } from "../../lib/source/source.ts";

const MISSING = {
  kind: "probe missing",
  error: "Error: No connected probes were found",
  todo: "plug it in",
  pace: "fast",
} as const;

/** 2023-11-14T22:13:20.5Z */
const NOW_US = 1_700_000_000_500_000;
let nowUs: number | undefined = NOW_US;

Deno.test("BoardStates tells each board's word and sentence on its own topics, the newest", () => {
  const states = new BoardStates({ now: () => nowUs });
  assert.deepEqual([...states.current()], []);
  states.set("", { phase: "starting", restarts: 0 });
  states.set("press", { phase: "running", pid: 812, restarts: 1 });
  states.set("", { phase: "waiting", restarts: 2, failure: MISSING });
  assert.deepEqual([...states.current()], [
    { topic: "board/state", text: "failed" },
    {
      topic: "board/detail",
      text:
        "At 2023-11-14T22:13:20Z the program of the board has failed and is tried again: probe missing: Error: No connected probes were found. To do: plug it in",
    },
    { topic: "press/board/state", text: "running" },
    {
      topic: "press/board/detail",
      text:
        "At 2023-11-14T22:13:20Z the program of the board runs as process 812, 1 restart",
    },
  ]);
});

Deno.test("BoardStates calls its listeners after each change until they have heard enough", () => {
  const states = new BoardStates({ now: () => nowUs });
  const heard: string[] = [];
  const stop = states.onChange(() =>
    heard.push([...states.current()][0]?.text ?? "")
  );
  states.set("", { phase: "starting", restarts: 0 });
  states.set("", { phase: "running", restarts: 0 });
  stop();
  states.set("", { phase: "stopped", restarts: 0 });
  assert.deepEqual(heard, ["starting", "running"]);
});

Deno.test("BoardStates dates a sentence by when it became so, and not at all while the time is not known", () => {
  const states = new BoardStates({ now: () => nowUs });
  const sentence = () => [...states.current()][1]?.text;
  nowUs = undefined;
  states.set("", { phase: "starting", restarts: 0 });
  assert.equal(
    sentence(),
    "The program of the board is being started, 0 restarts",
  );
  nowUs = NOW_US;
  states.set("", { phase: "running", restarts: 0 });
  nowUs += 60e6;
  states.set("", { phase: "running", restarts: 0 });
  assert.match(sentence()!, /^At 2023-11-14T22:13:20Z .* runs, 0 restarts$/);
  nowUs = NOW_US;
});

Deno.test("BoardStates tells a failure once, however often it is tried again, and since when", () => {
  const states = new BoardStates({ now: () => nowUs });
  const failure = { ...MISSING, kind: "firmware crashed" } as const;
  let told = 0;
  states.onChange(() => told++);
  nowUs = NOW_US;
  for (let restarts = 1; restarts <= 3; restarts++) {
    const lastPanic = { message: "no radio", agoMs: restarts * 10_000 };
    const tried = { restarts, failure, lastPanic };
    states.set("", { ...tried, phase: "waiting", nextStartInMs: 3000 });
    states.set("", { ...tried, phase: "starting" });
    states.set("", { ...tried, phase: "running", pid: restarts });
    nowUs += 10e6;
  }
  nowUs = NOW_US;
  assert.equal(told, 1);
  assert.equal(
    [...states.current()][1]?.text,
    "At 2023-11-14T22:13:20Z the program of the board has failed and is tried again: firmware crashed: Error: No connected probes were found. To do: plug it in; the firmware panicked: no radio",
  );
});

Deno.test("A board's word is failed while its program ends again and again, and silent while nothing comes", () => {
  const failure = MISSING;
  const silence = {
    kind: "no output",
    forMs: 60_000,
    restarts: 0,
    todo: "look",
  } as const;
  const story: [Partial<SourceState>, word: string][] = [
    [{ phase: "starting" }, "starting"],
    [{ phase: "running" }, "running"],
    [{ phase: "running", isProgramming: true }, "programming"],
    [{ phase: "running", isProgramming: true, failure }, "failed"],
    [{ phase: "running", isProgramming: true, silence }, "silent"],
    [{ phase: "waiting", failure }, "failed"],
    [{ phase: "starting", failure }, "failed"],
    [{ phase: "running", failure }, "failed"],
    [{ phase: "running", failure, silence }, "silent"],
    [{ phase: "running", silence }, "silent"],
    [{ phase: "running" }, "running"],
    [{ phase: "released", failure }, "released"],
    [{ phase: "stopped", failure }, "stopped"],
  ];
  for (const [state, word] of story) {
    const told = wordOfChild({ phase: "stopped", restarts: 0, ...state });
    assert.equal(told, word, JSON.stringify(state));
  }
});
