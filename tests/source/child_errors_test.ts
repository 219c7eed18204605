import assert from "node:assert/strict";
import { readErrors } from "../../lib/source/child_errors.ts";
import { keptBytes } from "../heap.ts";
import { captureLog } from "./log_capture.ts";

interface Case {
  readonly name: string;
  readonly stderr: string;
  readonly error: string | undefined;
  /** What is logged above the level `debug`. */
  readonly logged?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "an error alone",
    stderr: "Error: No connected probes were found.\n",
    error: "Error: No connected probes were found",
  },
  {
    name: "one cause, which has no number",
    stderr: `Error: Failed to read firmware from nofile.elf

Caused by:
    No such file or directory (os error 2)
`,
    error:
      "Error: Failed to read firmware from nofile.elf (caused by: No such file or directory (os error 2))",
  },
  {
    name: "several causes with empty lines, colours and a backtrace",
    stderr: `\x1b[31mError\x1b[0m: Failed to open probe

Caused by:
    0: The debug probe could not be created.

    1: A USB error occurred.
    2: Permission denied (os error 13)

Stack backtrace:
   0: anyhow::error::from
             at ./nptl/pthread_create.c:442:8

Stack backtrace:
   0: Error: no error
`,
    error:
      "Error: Failed to open probe (caused by: The debug probe could not be created.; A USB error occurred.; Permission denied (os error 13))",
  },
  {
    name: "the lines behind it",
    stderr: `Error: The following devices were found:
[0]: STLink V2-1 -- 0483:374b:0671
[1]: STLink V2-1 -- 0483:374b:0672

Use '--probe VID:PID'
`,
    error:
      "Error: The following devices were found: [0]: STLink V2-1 -- 0483:374b:0671; [1]: STLink V2-1 -- 0483:374b:0672",
    logged: ["program info: Use '--probe VID:PID'"],
  },
  {
    name: "an unknown flag",
    stderr: `error: unexpected argument '--bogus' found

  tip: to pass '--bogus' as a value, use '-- --bogus'

Usage: probe-rs attach [OPTIONS] [PATH]
`,
    error: "error: unexpected argument '--bogus' found",
    logged: [
      "program info:   tip: to pass '--bogus' as a value, use '-- --bogus'",
      "program info: Usage: probe-rs attach [OPTIONS] [PATH]",
    ],
  },
  {
    name: "a panic, without the note behind it",
    stderr: `
thread 'main' (4711) panicked at library/std/src/io/stdio.rs:1165:9:
failed printing to stdout: Broken pipe (os error 32)
note: run with \`RUST_BACKTRACE=1\` environment variable to display a backtrace
`,
    error:
      "thread 'main' (4711) panicked at library/std/src/io/stdio.rs:1165:9: failed printing to stdout: Broken pipe (os error 32)",
  },
  {
    name: "an error of 0.30 and later, which has causes within",
    stderr: `Error: Failed to open probe: Failed to open the debug probe.

Caused by:
    0: The debug probe could not be created.
    1: A USB error occurred.
    2: interface is busy (errno 16)
`,
    error:
      "Error: Failed to open probe: Failed to open the debug probe. (caused by: The debug probe could not be created.; A USB error occurred.; interface is busy (errno 16))",
  },
  {
    name: "causes of a cause",
    stderr: `Error: Failed to send RTT output

Caused by:
    An ARM specific error occurred.

    Caused by:
        0: The debug probe encountered an error.
`,
    error:
      "Error: Failed to send RTT output (caused by: An ARM specific error occurred.; The debug probe encountered an error.)",
  },
  {
    name: "several probes, 0.24 to 0.27",
    stderr: `Error: 2 probes were found:${" "}
    1. STLink V2-1 -- 0483:374b:0671 (ST-LINK)
    2. STLink V2-1 -- 0483:374b:0672 (ST-LINK)
`,
    error:
      "Error: 2 probes were found: 1. STLink V2-1 -- 0483:374b:0671 (ST-LINK); 2. STLink V2-1 -- 0483:374b:0672 (ST-LINK)",
  },
  {
    name: "log lines around it",
    stderr: ` WARN probe_rs::util::rtt::client: RTT read pointer changed
Error: Exception
 WARN probe_rs: late
`,
    error: "Error: Exception",
    logged: [
      "program warning:  WARN probe_rs::util::rtt::client: RTT read pointer changed",
      "program warning:  WARN probe_rs: late",
    ],
  },
  {
    name: "the last of several",
    stderr: "Error: one\n\nCaused by:\n    its cause\nError: two\n",
    error: "Error: two",
  },
  {
    name: "nothing where there is none",
    stderr: "    Finished in 1.23s\nCaused by:\n    nobody\n",
    error: undefined,
    logged: [
      "program info:     Finished in 1.23s",
      "program info: Caused by:",
      "program info:     nobody",
    ],
  },
];

for (const { name, stderr, error, logged = [] } of CASES) {
  Deno.test(`readErrors takes ${name}`, async () => {
    await using log = await captureLog();
    const bytes = new TextEncoder().encode(stderr);
    assert.equal(await readErrors(ReadableStream.from([bytes])), error);
    assert.deepEqual(
      log.lines.filter((line) => !line.startsWith("program debug")),
      logged,
    );
  });
}

Deno.test("readErrors keeps an error of bounded length", async () => {
  await using _log = await captureLog();
  const more = "more\n".repeat(10_000);
  const long = `${"x".repeat(8000)}\n`.repeat(30);
  const error = async (text: string) =>
    await readErrors(ReadableStream.from([new TextEncoder().encode(text)]));
  assert.equal((await error(`Error: x\n${more}`))?.split(";").length, 19);
  const longest = await error(`Error: ${long}\nCaused by:\n ${long}`);
  assert.ok(longest && longest.length < 20_000, `${longest?.length}`);
  assert.match(longest, /^Error: x+…/);
});

Deno.test("Of a line on stderr that waits in the log nothing else is kept", async () => {
  await using log = await captureLog();
  const lines = 60;
  const rest = new Uint8Array(65_536).fill(0x0a);
  const chunks = Iterator.from(Array.from({ length: lines }, (_, i) => i))
    .map((i) => {
      const chunk = rest.slice();
      chunk.set(new TextEncoder().encode(`WARN probe ${i} is slow`));
      return chunk;
    });
  const before = keptBytes();
  await readErrors(ReadableStream.from(chunks));
  const kept = keptBytes() - before;
  assert.equal(log.records.length, lines);
  assert.ok(kept < lines * rest.length / 4, `${kept} bytes are kept`);
});
