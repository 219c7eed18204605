import assert from "node:assert/strict";
import { wait, within } from "../lib/wait.ts";

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

Deno.test("within gives what a promise gives, and leaves no timer", async () => {
  assert.equal(await within(LONG_MS, Promise.resolve(7)), 7);
  const failed = within(LONG_MS, Promise.reject(new Error("no")));
  await assert.rejects(failed, /^Error: no$/);
});

Deno.test("within gives nothing when its time is over", async () => {
  assert.equal(await within(1, new Promise(() => {})), undefined);
});
