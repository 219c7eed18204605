import assert from "node:assert/strict";
import { PacedLines } from "../../lib/cli/terminal/paced_lines.ts";

/** A reader that takes when it is told to. */
function createLines(options: { maxWaiting?: number } = {}) {
  const texts: string[] = [];
  const told: string[] = [];
  let taken = Promise.withResolvers<void>();
  let written = Promise.withResolvers<void>();
  const lines = new PacedLines({
    write: (text) => {
      texts.push(text);
      written.resolve();
      written = Promise.withResolvers();
      return taken.promise;
    },
    onGone: () => told.push("gone"),
    onLeftOut: (count) => told.push(`left out ${count}`),
    intervalMs: 1,
    ...options,
  });
  return {
    lines,
    texts,
    told,
    written: () => written.promise,
    take() {
      taken.resolve();
      taken = Promise.withResolvers();
    },
    leave() {
      taken.reject(new Deno.errors.BrokenPipe());
    },
  };
}

Deno.test("PacedLines writes what has gathered in one piece, and the rest once that was taken", async () => {
  const { lines, texts, written, take } = createLines();
  lines.add("a");
  lines.add("b");
  await written();
  lines.add("c");
  lines.add("d");
  assert.deepEqual(texts, ["a\nb\n"]);
  const second = written();
  take();
  await second;
  take();
  await lines[Symbol.asyncDispose]();
  assert.deepEqual(texts, ["a\nb\n", "c\nd\n"]);
});

Deno.test("PacedLines leaves out what does not fit, and says how much", async () => {
  const { lines, texts, told, written, take } = createLines({ maxWaiting: 5 });
  for (const line of ["one", "two", "three", "x"]) lines.add(line);
  await written();
  take();
  await lines[Symbol.asyncDispose]();
  assert.deepEqual(texts, ["one\n"]);
  assert.deepEqual(told, ["left out 3"]);
});

Deno.test("PacedLines writes at its end what still waits", async () => {
  const { lines, texts, take } = createLines();
  lines.add("last");
  const ended = lines[Symbol.asyncDispose]();
  await Promise.resolve();
  take();
  await ended;
  lines.add("too late");
  assert.deepEqual(texts, ["last\n"]);
});

Deno.test("PacedLines tells once that nobody reads any more", async () => {
  const { lines, texts, told, written, leave } = createLines();
  lines.add("a");
  await written();
  leave();
  await lines[Symbol.asyncDispose]();
  lines.add("b");
  assert.deepEqual(told, ["gone"]);
  assert.equal(texts.length, 1);
});
