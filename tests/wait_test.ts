import assert from "node:assert/strict";
import { wait } from "../lib/wait.ts";

const LONG_MS = 5_000;

Deno.test("wait ends after its time", async () => {
  const start = performance.now();
  await wait(20, new AbortController().signal);
  assert.ok(performance.now() - start >= 19);
});

Deno.test("wait ends early, and leaves no timer, when its signal is aborted", async () => {
  const start = performance.now();
  const controller = new AbortController();
  const waiting = wait(LONG_MS, controller.signal);
  controller.abort();
  await waiting;
  await wait(LONG_MS, controller.signal);
  assert.ok(performance.now() - start < LONG_MS / 2);
});
