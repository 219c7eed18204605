import assert from "node:assert/strict";
import { readCapture } from "../../lib/cli/capture/captured_bytes.ts";

const encoder = new TextEncoder();
const NEVER = new AbortController().signal;

function streamOf(...texts: string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(texts.map((one) => encoder.encode(one)));
}

/** The text of each run. */
async function textsOf(
  bytes: ReadableStream<Uint8Array>,
  signal = NEVER,
): Promise<string[]> {
  const texts: string[] = [];
  const { runs } = await readCapture(bytes, signal);
  for await (const run of runs) texts.push(await new Response(run).text());
  return texts;
}

const HEADER =
  '{"format":"iiot-gateway recording","version":1,"program":"0.1.0","board":"hall","time":"2026-11-27T14:12:02.767Z","clock":"known","ms":0,"running":null}';

Deno.test("readCapture gives lines as they are, also such as begin like a recording", async () => {
  for (const text of ["", "{", '{"format":1}', '{"format":"iiot', "line\n"]) {
    assert.deepEqual(await textsOf(streamOf(text)), [text]);
    assert.deepEqual(await textsOf(streamOf(...text)), [text]);
  }
});

Deno.test("readCapture gives of a recording what each run printed on stdout, and whose it is", async () => {
  const recording = `${HEADER}
[1,"start",{"pid":1,"command":["x"]}]
[2,"out","one "]
[3,"err","no"]
[3,"gap",{"chunks":1,"bytes":9}]
[4,"out","run\\n"]
[5,"end",{"code":0}]
[6,"start",{"pid":2,"command":["x"]}]
[7,"out","//4K","base64"]
`;
  for (const chunks of [[recording], [...recording]]) {
    const capture = await readCapture(streamOf(...chunks), NEVER);
    assert.equal(capture.board, "hall");
    assert.equal(capture.isRecording, true);
    const texts: string[] = [];
    for await (const run of capture.runs) {
      texts.push(await new Response(run).text());
    }
    // Before the first start the program has printed nothing.
    assert.deepEqual(texts, ["", "one run\n", "\ufffd\ufffd\n"]);
  }
});

Deno.test("readCapture refuses a recording of a version that it does not know", async () => {
  const newer = HEADER.replace('"version":1', '"version":99');
  await assert.rejects(
    textsOf(streamOf(`${newer}\n`)),
    /of version 99, and this program reads version 1/,
  );
});

Deno.test("readCapture ends when it is told to, though a read never comes back", async () => {
  const stop = new AbortController();
  const silent = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode("begun")),
  });
  const texts = textsOf(silent, stop.signal);
  const { runs } = await readCapture(streamOf("x"), stop.signal);
  stop.abort();
  assert.deepEqual(await texts, ["begun"]);
  for await (const run of runs) await run.cancel();
});

Deno.test("readCapture keeps nothing of what was read", async () => {
  const chunks = 8000;
  let given = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(64 * 1024));
      if (++given === chunks) controller.close();
    },
  });
  let most = 0;
  const { runs } = await readCapture(endless, NEVER);
  for await (const run of runs) {
    let count = 0;
    for await (const _ of run) {
      if (++count % 500 === 0) {
        most = Math.max(most, Deno.memoryUsage().external);
      }
    }
    assert.equal(count, chunks);
  }
  assert.ok(most < 250e6, `${most} of ${chunks * 64 * 1024} bytes`);
});
