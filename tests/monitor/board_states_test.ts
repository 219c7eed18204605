import assert from "node:assert/strict";
import { BoardStates } from "../../lib/monitor/board_states.ts";
import { wordOfChild } from "../../lib/monitor/child_status.ts";
import type { SupervisorState } from "../../lib/source/supervisor.ts";

const MISSING = {
  kind: "probe missing",
  error: "Error: No connected probes were found",
  todo: "plug it in",
  pace: "fast",
} as const;

Deno.test("BoardStates tells each board's word and sentence on its own topics, the newest", () => {
  const states = new BoardStates();
  assert.deepEqual([...states.current()], []);
  states.set("", { phase: "starting", restarts: 0 });
  states.set("press", { phase: "running", pid: 812, restarts: 1 });
  states.set("", { phase: "waiting", restarts: 2, failure: MISSING });
  assert.deepEqual([...states.current()], [
    { topic: "board/state", text: "failed" },
    {
      topic: "board/detail",
      text:
        "The program of the board waits for its next start, 2 restarts; last failure: probe missing: Error: No connected probes were found. To do: plug it in",
    },
    { topic: "press/board/state", text: "running" },
    {
      topic: "press/board/detail",
      text: "The program of the board runs as process 812, 1 restart",
    },
  ]);
});

Deno.test("BoardStates calls its listeners after each change until they have heard enough", () => {
  const states = new BoardStates();
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

Deno.test("A program that ends again and again has failed until it lasts", () => {
  const story: [SupervisorState["phase"], fails: boolean, word: string][] = [
    ["starting", false, "starting"],
    ["running", false, "running"],
    ["waiting", true, "failed"],
    ["starting", true, "failed"],
    ["running", true, "failed"],
    ["running", false, "running"],
    ["stopped", true, "stopped"],
  ];
  for (const [phase, fails, word] of story) {
    const failure = fails ? { failure: MISSING } : {};
    assert.equal(wordOfChild({ phase, restarts: 1, ...failure }), word, phase);
  }
});
