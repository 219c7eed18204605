import assert from "node:assert/strict";
import { ownText } from "../lib/own_text.ts";
import { keptBytes } from "./heap.ts";

const CHUNK = 64 * 1024;
const CHUNKS = 300;

function chunkOf(number: number): string {
  return `line ${number} of 20 letters${"x".repeat(CHUNK)}`;
}

/** What pieces of so many chunks keep, each taken by `take`. */
function keptBy(take: (piece: string) => string): number {
  const before = keptBytes();
  const kept: string[] = [];
  for (let i = 0; i < CHUNKS; i++) {
    // As bytes are decoded: in one piece.
    const chunk = new TextDecoder().decode(
      new TextEncoder().encode(chunkOf(i)),
    );
    kept.push(take(chunk.slice(0, 23)));
  }
  const after = keptBytes();
  assert.equal(kept[7], "line 7 of 20 letters" + "xxx");
  return after - before;
}

Deno.test("ownText lets go of what a text was cut from", () => {
  const piece = keptBy((piece) => piece);
  assert.ok(piece > CHUNKS * CHUNK * 0.9, `V8 keeps only ${piece} bytes`);
  const own = keptBy(ownText);
  assert.ok(own < CHUNKS * CHUNK * 0.1, `${own} bytes are kept`);
});

Deno.test("ownText changes no text", () => {
  for (
    const text of [
      "",
      "a",
      '"{\\}"\n',
      "27.6 \u00b0C",
      "\ud83d\ude00",
      "\ud83d",
    ]
  ) {
    assert.equal(ownText(text), text);
  }
});
