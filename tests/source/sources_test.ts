import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import { createCatalogue } from "../../lib/catalogue.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import { CommandLauncher } from "../../lib/source/command_launcher.ts";
import { Leftover } from "../../lib/source/leftover.ts";
import { ofBoard } from "../../lib/source/board_log.ts";
import { Programming } from "../../lib/source/programming.ts";
import { Source, type SourceOptions } from "../../lib/source/source.ts";
import { Sources } from "../../lib/source/sources.ts";
import { until } from "./fake_time.ts";
import {
  FINISHED,
  forgetful,
  NamedFirmware,
  never,
  TARGET,
} from "./flash_world.ts";

/** A source of a shell script. */
function sourceOf(
  script: string,
  options: Partial<SourceOptions> = {},
): Source {
  const PATH = Deno.env.get("PATH") ?? "";
  return new Source({
    launcher: new CommandLauncher(["sh", "-c", script], PATH),
    env: { PATH },
    marker: "JSON: ",
    maxLineBytes: 1000,
    catalogue: createCatalogue(),
    clock: new EventClock({ now: () => ({ epoch: 1, monoUs: 0 }) }),
    backoff: () => ({ next: () => 10_000, reset() {} }),
    stopTimeoutMs: 20_000,
    write: () => {},
    onReject: () => {},
    ...options,
  });
}

/** A source that fails itself, at once. */
function broken(): Source {
  const leftover = Object.assign(new Leftover(""), {
    end: () => Promise.reject(new Error("A fault of the program")),
  });
  return sourceOf("", { leftover });
}

/** All that is logged, with the board that it is of, until it is disposed. */
async function captureBoards(): Promise<
  AsyncDisposable & { readonly lines: string[] }
> {
  const lines: string[] = [];
  await configure({
    reset: true,
    sinks: {
      memory: ({ category, message, properties: { board } }) =>
        void lines.push(`${board}: ${category.at(-1)} ${message.join("")}`),
    },
    loggers: [
      { category: "gateway", sinks: ["memory"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  return { lines, [Symbol.asyncDispose]: reset };
}

const PACKET = `echo 'JSON: {"n1":{"t":20}}'`;

Deno.test("Sources reads every board though one fails, whose state then says so", async () => {
  await using log = await captureBoards();
  const stop = new AbortController();
  const first = Promise.withResolvers<void>();
  await using sources = new Sources(
    new Map([
      ["hall", broken()],
      [
        "yard",
        sourceOf(`${PACKET}; exec sleep 1000`, {
          write: () => first.resolve(),
        }),
      ],
    ]),
  );
  const running = sources.run(stop.signal);
  await first.promise;
  const { hall, yard } = sources.boards;
  assert.equal(yard?.state.phase, "running");
  assert.equal(hall?.state.phase, "stopped");
  assert.equal(hall?.state.failure?.error, "A fault of the program");
  assert.deepEqual(
    log.lines.filter((line) => line.startsWith("hall")),
    [
      "hall: source Cannot go on with this board: Error: A fault of the program. To do: restart the gateway, and report this fault",
    ],
  );
  stop.abort();
  await running;
  assert.equal(yard?.state.phase, "stopped");
});

Deno.test("Sources fails when every board has failed", async () => {
  await using _log = await captureBoards();
  const sources = new Sources(new Map([["a", broken()], ["b", broken()]]));
  await assert.rejects(sources.run(), /A fault of the program/);
  await sources.stop();
});

Deno.test("Sources stops all children at the same time", async () => {
  await using _log = await captureBoards();
  // Each child ends only after it has seen that the other is asked to end as well.
  const folder = await Deno.makeTempDir({ prefix: "iiot-sources-" });
  const script = (mine: string, other: string) =>
    `trap 'touch ${folder}/${mine}; until [ -e ${folder}/${other} ]; do sleep 0.01; done; exit 0' TERM
     ${PACKET}; while :; do sleep 0.01; done`;
  let heard = 0;
  const both = Promise.withResolvers<void>();
  const write = () => void (++heard === 2 && both.resolve());
  const sources = new Sources(
    new Map([
      ["a", sourceOf(script("a", "b"), { write })],
      ["b", sourceOf(script("b", "a"), { write })],
    ]),
  );
  const running = sources.run();
  await both.promise;
  await sources.stop();
  await running;
  for (const { state } of Object.values(sources.boards)) {
    assert.equal(state.lastExit?.code, 0);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("What is logged of a board says which one, all along the way of its lines", async () => {
  await using log = await captureBoards();
  const stop = new AbortController();
  let heard = 0;
  const write = () => void (++heard === 2 && stop.abort());
  const script = `echo "[INFO] speaks"; echo oops >&2; ${PACKET}; sleep 1000`;
  await using sources = new Sources(
    new Map([
      ["", sourceOf(script, { write })],
      ["yard", sourceOf(script, { write })],
    ]),
  );
  await sources.run(stop.signal);
  for (const board of ["undefined", "yard"]) {
    const own = log.lines.filter((line) => line.startsWith(`${board}: `))
      .join("\n");
    assert.match(own, /firmware speaks/);
    assert.match(own, /oops/);
    assert.match(own, /source Started "sh"/);
  }
});

Deno.test("What is said of a board's flash says which board", async () => {
  await using log = await captureBoards();
  await ofBoard("yard", async () => {
    const programming = new Programming({
      target: TARGET,
      mode: "when-changed",
      reflashOnChange: false,
      flash: forgetful(),
      file: new NamedFirmware(),
    });
    const why = { comparesFirst: true, silentRestarts: 0 };
    assert.equal(await programming.begin(why, never), "run");
    programming.started();
    programming.takeStderr(FINISHED);
    await until(() => log.lines.length > 0);
  });
  assert.match(log.lines[0] ?? "", /^yard: source The board has the firmware/);
});

Deno.test("Sources that begin anew start no program whose probe was released before", async () => {
  await using _log = await captureBoards();
  const fresh = () =>
    new Sources(
      new Map([
        ["lent", sourceOf("exec sleep 1000")],
        ["kept", sourceOf("exec sleep 1000")],
      ]),
    );
  const phases = ({ boards }: Sources) =>
    Object.values(boards).map(({ state }) => state.phase);
  const released = await (async () => {
    await using before = fresh();
    before.run();
    assert.deepEqual([...before.released], []);
    await until(() => `${phases(before)}` === "running,running");
    await before.boards.lent!.release(900_000);
    return before.released;
  })();
  const left = released.get("lent") ?? 0;
  assert.ok(left > 800_000 && left <= 900_000);
  assert.deepEqual([...released.keys()], ["lent"]);

  await using after = fresh();
  after.release(released);
  after.run();
  await until(() => `${phases(after)}` === "released,running");
  assert.equal(after.boards.lent!.state.lastExit, undefined);
});
