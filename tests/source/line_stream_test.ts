import assert from "node:assert/strict";
import fc from "fast-check";
import { type Line, LineStream } from "../../lib/source/line_stream.ts";
import { cut } from "./cut.ts";

async function split(
  chunks: Iterable<Uint8Array>,
  maxBytes = 64,
): Promise<Line[]> {
  const lines: Line[] = [];
  for await (
    const some of ReadableStream.from(chunks).pipeThrough(
      new LineStream({ maxBytes }),
    )
  ) {
    assert.notEqual(some.length, 0);
    lines.push(...some);
  }
  return lines;
}

async function texts(...chunks: string[]): Promise<string[]> {
  const encoder = new TextEncoder();
  return (await split(chunks.map((chunk) => encoder.encode(chunk)))).map((
    { text },
  ) => text);
}

/** The same, on all of the input at once and as simply as it can be said. */
function reference(bytes: Uint8Array, maxBytes: number): Line[] {
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join(
    "",
  );
  const lines = latin1.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => {
    const kept = Uint8Array.from(
      line.slice(0, maxBytes),
      (char) => char.charCodeAt(0),
    );
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(kept);
    return { text, truncated: line.length > maxBytes };
  });
}

Deno.test("LineStream ends a line at LF, CRLF and lone CR, and keeps empty lines", async () => {
  assert.deepEqual(await texts("a\nb\r\nc\rd\n\n\r\n\r\re\n"), [
    ..."abcd",
    "",
    "",
    "",
    "",
    "e",
  ]);
});

Deno.test("LineStream takes a CRLF that two chunks share for one end", async () => {
  assert.deepEqual(await texts("a\r", "\nb\r", "", "\n", "\r", "c\n"), [
    "a",
    "b",
    "",
    "c",
  ]);
});

Deno.test("LineStream emits a last line without newline, and nothing behind a newline", async () => {
  assert.deepEqual(await texts("a\nb"), ["a", "b"]);
  assert.deepEqual(await texts("a\n"), ["a"]);
  assert.deepEqual(await texts("a\r"), ["a"]);
  assert.deepEqual(await texts(), []);
});

Deno.test("LineStream decodes UTF-8 that is split across chunks, and marks what is none", async () => {
  const bytes = [
    0xe2,
    0x82,
    0xac,
    0x0a,
    0xff,
    0xe2,
    0x82,
    0x0a,
    0xef,
    0xbb,
    0xbf,
    0x0a,
  ];
  const lines = await split(bytes.map((byte) => Uint8Array.of(byte)));
  assert.deepEqual(lines.map(({ text }) => text), [
    "€",
    "\ufffd\ufffd",
    "\ufeff",
  ]);
});

Deno.test("LineStream cuts a line at its limit, says so, and skips the rest of it", async () => {
  const bytes = new TextEncoder().encode("12345\n123456789\n1234\n");
  for (const sizes of [[100], [1], [7], [5, 1]]) {
    assert.deepEqual(await split(cut(bytes, sizes), 5), [
      { text: "12345", truncated: false },
      { text: "12345", truncated: true },
      { text: "1234", truncated: false },
    ]);
  }
});

Deno.test("LineStream emits an endless line once, while it is still coming", async () => {
  const stream = new LineStream({ maxBytes: 8 });
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const first = reader.read();
  const chunk = new TextEncoder().encode("0x2a".repeat(1000));
  await writer.write(chunk);
  assert.deepEqual((await first).value, [{
    text: "0x2a0x2a",
    truncated: true,
  }]);
  const next = reader.read();
  for (let i = 0; i < 100; i++) await writer.write(chunk);
  await writer.write(new TextEncoder().encode("\nok\n"));
  assert.deepEqual((await next).value, [{ text: "ok", truncated: false }]);
  await writer.close();
});

Deno.test("LineStream gives any bytes in any chunks as the lines of the whole", async () => {
  const byte = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(0x0a, 0x0d) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        0x61,
        0xe2,
        0x82,
        0xac,
        0xf0,
        0xef,
        0xbb,
        0xbf,
      ),
    },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(byte, { maxLength: 80 }).map((bytes) => Uint8Array.from(bytes)),
      fc.array(fc.oneof(fc.nat(9), fc.nat(80)), { minLength: 1, maxLength: 5 }),
      fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 90 })),
      async (bytes, sizes, maxBytes) => {
        assert.deepEqual(
          await split(cut(bytes, sizes), maxBytes),
          reference(bytes, maxBytes),
        );
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("LineStream begins a line anew at the marker in what it skips, in any chunks", async () => {
  const marker = "MARK: ";
  const part = fc.oneof(
    fc.constantFrom(marker, "MAR", "K: ", "\n", "0x2a"),
    fc.string({ maxLength: 4 }),
    fc.constant("x".repeat(150)),
  );
  const lines = async (chunks: Iterable<Uint8Array>) => {
    const stream = ReadableStream.from(chunks)
      .pipeThrough(new LineStream({ maxBytes: 160, marker }));
    return (await Array.fromAsync(stream)).flat();
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 30 }).map((parts) => parts.join("")),
      fc.array(fc.nat(70), { minLength: 1, maxLength: 5 }),
      async (text, sizes) => {
        const bytes = new TextEncoder().encode(`${text}\n`);
        const whole = await lines([bytes]);
        assert.deepEqual(await lines(cut(bytes, sizes)), whole);
        // What goes on for less than the limit behind a line's last marker is there in full.
        for (const line of text.split(/\r\n|\n|\r/)) {
          const last = line.slice(Math.max(0, line.lastIndexOf(marker)));
          if (last.startsWith(marker) && last.length <= 30) {
            assert.ok(whole.some((one) => one.text.endsWith(last)), line);
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});
