import assert from "node:assert/strict";
import { wait } from "../lib/wait.ts";

const HOUR_MS = 3_600_000;

Deno.test("wait ends after its time", async () => {
  const start = performance.now();
  await wait(20, new AbortController().signal);
  assert.ok(performance.now() - start >= 19);
});

Deno.test("wait ends early, and leaves no timer, when its signal is aborted", async () => {
  const controller = new AbortController();
  const waiting = wait(HOUR_MS, controller.signal);
  controller.abort();
  await waiting;
  await wait(HOUR_MS, controller.signal);
});
