import assert from "node:assert/strict";
import { PROGRAMS } from "../../cli/program.ts";
import { eventually } from "../../e2e/gateway_process.ts";
import { BenchFolder } from "./bench_folder.ts";

const RUN = "run --chip STM32F446RETx fw.elf";
const ATTACH = "attach --chip STM32F446RETx fw.elf";
/** Quick, and with an end: the probe is pulled after 1,000 s, which takes 10 s. */
const QUICK = `
speed = 100
interval_s = 5
record = true
[[event]]
at_s = 1000
do = "unplug"
`;

/** Reads a child to its end. */
async function ended(child: Deno.ChildProcess) {
  const { code, signal, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, signal, stdout: text(stdout), stderr: text(stderr) };
}

/** Waits until a packet was printed since the copy had `length` characters. */
async function packet(bench: BenchFolder, length = 0): Promise<void> {
  await eventually(
    "a packet",
    async () => (await bench.printed()).slice(length).includes("VCP"),
  );
}

for (const { form, command } of PROGRAMS) {
  Deno.test(`The stand-in ends in order on SIGTERM, after its last output (${form})`, async () => {
    await using bench = await BenchFolder.create(QUICK);
    const child = bench.spawn(RUN, command);
    await packet(bench);
    const [board] = (await bench.state()).boards;
    assert.equal(board?.held, true);
    child.kill("SIGTERM");
    const { code, stdout, stderr } = await ended(child);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Finished in .*s\nReceived SIGTERM, exiting\n$/);
    assert.match(stdout, /\nExited by user request\n$/);
    assert.equal(await bench.printed(), stdout);
    const { boards, starts } = await bench.state();
    assert.partialDeepStrictEqual(boards, [
      { held: false, frozen: false, flash_cycles: 1, freezes: 0 },
    ]);
    assert.equal(starts[0]?.end?.why, "asked to stop");
  });

  Deno.test(`A killed stand-in leaves its lock free and the firmware frozen, until a run (${form})`, async () => {
    await using bench = await BenchFolder.create(QUICK);
    const child = bench.spawn(RUN, command);
    await packet(bench);
    const busy = await ended(bench.spawn(ATTACH, command));
    assert.equal(busy.code, 1);
    assert.match(busy.stderr, /^Error: Failed to open probe: /m);
    child.kill("SIGKILL");
    await ended(child);
    const [board] = (await bench.state()).boards;
    assert.partialDeepStrictEqual(board, {
      held: false,
      frozen: true,
      freezes: 1,
    });
    // Silent until it is asked to stop.
    const silent = bench.spawn(ATTACH, command);
    await eventually(
      "it reads",
      async () => (await bench.state()).boards[0]?.reader === silent.pid,
    );
    silent.kill("SIGTERM");
    const { stdout } = await ended(silent);
    assert.equal(stdout, "Exited by user request\n");
    const before = (await bench.printed()).length;
    const mended = bench.spawn(`${RUN} --preverify`, command);
    await packet(bench, before);
    mended.kill("SIGTERM");
    assert.equal((await ended(mended)).code, 0);
    const { boards, starts } = await bench.state();
    assert.partialDeepStrictEqual(boards, [
      { frozen: false, freezes: 1, flash_cycles: 1, resets: 2 },
    ]);
    assert.deepEqual(
      starts.map(({ args: [name], end }) => [name, end?.why]),
      [
        ["run", undefined],
        ["attach", "probe busy"],
        ["attach", "asked to stop"],
        ["run", "asked to stop"],
      ],
    );
  });
}

Deno.test("The stand-in waits where nobody reads, and all that it printed is there in the end", async () => {
  await using bench = await BenchFolder.create(
    "speed = 10\ninterval_s = 0.001\nrecord = true\n",
  );
  const child = bench.spawn(RUN);
  let [last, same] = [0, 0];
  const size = await eventually("it waits", async () => {
    // The one that waits is the last.
    const { length } = (await bench.pieces()).slice(0, -1).join("");
    same = length === last && length > 0 ? same + 1 : 0;
    last = length;
    return same > 5 && length;
  });
  // A pipe's 64 KiB, where 15 MB are logged in a second.
  assert.ok(size <= 65_536, `${size}`);
  child.kill("SIGTERM");
  const { code, stdout } = await ended(child);
  assert.equal(code, 0);
  assert.ok(stdout.length > size);
  assert.equal(stdout, await bench.printed());
});

Deno.test("The stand-in ends with 101 when its reader has gone", async () => {
  await using bench = await BenchFolder.create("speed = 100\n");
  const child = bench.spawn(RUN);
  await child.stdout.cancel();
  const stderr = await new Response(child.stderr).text();
  assert.equal((await child.status).code, 101);
  assert.match(stderr, /panicked at .*\nfailed printing to stdout: Broken/);
});

Deno.test("A stand-in that is killed at any moment leaves a bench that goes on; the flash is blank where it was programmed", async () => {
  await using bench = await BenchFolder.create("flash_s = 0.3\n");
  for (let i = 0; i < 12; i++) {
    const child = bench.spawn(RUN);
    await eventually(
      "it has begun",
      async () => (await bench.state()).starts.length > i,
    );
    await new Promise((resolve) => setTimeout(resolve, i * 15));
    child.kill("SIGKILL");
    await ended(child);
    const { starts, boards: [board] } = await bench.state();
    assert.equal(starts.length, i + 1);
    assert.ok(starts.every(({ end }) => end === undefined));
    assert.ok(board !== undefined && board.flash_cycles <= i + 1);
    if (board.frozen) assert.ok(board.firmware !== undefined);
  }
  const child = bench.spawn(`${RUN} --preverify`);
  await eventually(
    "it has programmed",
    async () => (await bench.state()).boards[0]?.firmware,
  );
  child.kill("SIGKILL");
  await ended(child);
});

Deno.test("A program called probe-rs is the stand-in, wherever it is started", async () => {
  await using bench = await BenchFolder.create('version = "0.28"\n');
  const bin = await bench.install();
  const { success, stdout } = await new Deno.Command(`${bin}/probe-rs`, {
    args: ["--version"],
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", HOME: Deno.env.get("HOME") ?? "/" },
  }).output();
  assert.ok(success);
  assert.equal(
    new TextDecoder().decode(stdout),
    "probe-rs 0.28.0 (git commit: crates.io)\n",
  );
});

Deno.test("Every fault of a scenario is told with its place, and ends with 2", async () => {
  await using bench = await BenchFolder.create(`version = "0.33"
speeed = 2
interval_s = 0
[[probe]]
id = "0483:374b"
[[event]]
at_s = -1
do = "unplugg"
probe = "0483:374b:NONE"
`);
  const { code, stderr } = await ended(bench.spawn("list"));
  assert.equal(code, 2);
  const file = bench.path("scenario.toml");
  const told = stderr.trimEnd().split("\n").map((line) =>
    line.replace(file, "").slice(0, 60)
  );
  assert.deepEqual(told.map((line) => line.split(": ")[0]), [
    ":1:11",
    ":2:1",
    ":3:14",
    ":5:6",
    ":7:8",
    ":8:6",
    ":9:9",
  ], stderr);
  assert.match(stderr, /"speeed" is not known.*"speed"/);
  assert.match(stderr, /"event\[0\]\.do" must be "unplug".*it is "unplugg"/);
});
