/**
 * A plan carried out: the real gateway, the stand-in for probe-rs as real processes, and somebody who
 * looks at both all the time.
 *
 * Everything it starts ends with it.
 *
 * @module
 */

import { basename, join } from "node:path";
import { ask, Unreachable } from "../../lib/control/client.ts";
import type { GatewayReport } from "../../lib/control/protocol.ts";
import type { LineCounts } from "../../lib/journal/disk.ts";
import { journalPath } from "../../lib/journal/folder.ts";
import { JournalReader } from "../../lib/journal/reader.ts";
import { readReport } from "../../lib/journal/report.ts";
import {
  readBegan,
  readBench,
  readPrinted,
  readStarts,
  type Start,
} from "../../lib/simulator/probe_rs/bench.ts";
import { FolderStore } from "../../lib/simulator/probe_rs/bench_store.ts";
import {
  type BoardRecord,
  fileOf,
  firmwareAt,
  readRecord,
} from "../../lib/simulator/probe_rs/board_record.ts";
import { readFlash } from "../../lib/source/flash_memory.ts";
import { wait } from "../../lib/wait.ts";
import type { Program } from "../cli/program.ts";
import { eventually, GatewayProcess } from "../e2e/gateway_process.ts";
import { DEAD_PORT } from "../servers.ts";
import { BenchFolder } from "../simulator/probe_rs/bench_folder.ts";
import {
  type BoardEvidence,
  type Call,
  type Evidence,
  type FirmwareVersion,
  type Leftover,
  packetKey,
  type Sample,
  type Session,
} from "./evidence.ts";
import { type Act, type Plan, toScenario, toToml } from "./plan.ts";
import { isOf, processesOf } from "./processes.ts";

/** Options for {@linkcode runPlan}. */
export interface RunOptions {
  readonly program: Program;
  /** Says what happens. */
  say(text: string): void;
  /** A folder that takes the gateway's log and the bench. @default {they are removed} */
  readonly keep?: string | undefined;
  /** The port of the gateway's own MQTT broker. @default {there is none} */
  readonly brokerPort?: number;
  /** What else has to come once all is well, before the gateway is asked to end. @default {nothing} */
  whenWell?(): Promise<unknown>;
}

const NO_LINES: LineCounts = {
  lines: 0,
  packets: 0,
  rejects: 0,
  other: 0,
  truncated: 0,
};

const SAMPLE_MS = 200;
/** All that waits comes within that, once nothing is wrong any more. */
const SETTLED_WITHIN_S = 100;
/** A board that was swapped is found out after two minutes of silence. */
const SWAP_WITHIN_S = 240;
/** Who outlives its gateway is watched for so long. */
const WATCHED_MS = 15_000;
const LOOK_MS = 50;

/** Carries out `plan`. */
export async function runPlan(
  plan: Plan,
  options: RunOptions,
): Promise<Evidence> {
  await using bench = await BenchFolder.create(toToml(toScenario(plan)));
  const bin = await bench.install();
  await using gateway = await GatewayProcess.create({
    program: options.program,
    env: { PATH: `${bin}:${Deno.env.get("PATH")}` },
    config: configOf(plan, bench, options.brokerPort ?? DEAD_PORT),
  });
  const world = new World(plan, { ...options, bench, gateway });
  try {
    return await world.run();
  } finally {
    if (options.keep !== undefined) await keep(options.keep, bench, gateway);
  }
}

/** Copies what a person may want to read. */
async function keep(
  folder: string,
  bench: BenchFolder,
  gateway: GatewayProcess,
): Promise<void> {
  await Deno.writeTextFile(join(folder, "gateway.log"), gateway.log);
  const names = ["scenario.toml", "state/starts.jsonl"];
  for (const name of names) {
    await Deno.copyFile(bench.path(name), join(folder, basename(name)));
  }
}

/** config.toml */
function configOf(
  { boards, silenceTimeoutS }: Plan,
  bench: BenchFolder,
  brokerPort: number,
): string {
  const tables = boards.map(({ name, probe, flash, reflashOnChange }, i) => `
${name === "" ? "" : `[[board]]\nname = "${name}"`}
probe_id = "${probe}"
chip = "STM32F446RETx"
firmware_path = "${bench.path(firmwareFile(i))}"
flash = "${flash}"
reflash_on_change = ${reflashOnChange}`);
  return `
[mqtt]
broker_url = "mqtt://127.0.0.1:${brokerPort}"
client_id = "scenarios"
topic_prefix = "iiot"
[broker]
port = ${brokerPort}
[gateway]
stop_timeout_s = 20
silence_timeout_s = ${silenceTimeoutS}
${tables.join("\n")}
[journal]
reserve = false
`;
}

function firmwareFile(board: number): string {
  return `firmware-${board}.elf`;
}

interface WorldOptions extends RunOptions {
  readonly bench: BenchFolder;
  readonly gateway: GatewayProcess;
}

class World {
  readonly #plan: Plan;
  readonly #bench: BenchFolder;
  readonly #gateway: GatewayProcess;
  readonly #say: (text: string) => void;
  readonly #whenWell: (() => Promise<unknown>) | undefined;
  /** For the gateway's start. */
  readonly #args: readonly string[];
  readonly #store: FolderStore;
  readonly #sessions: Session[] = [];
  readonly #leftovers: Promise<Leftover>[] = [];
  readonly #samples: Sample[] = [];
  readonly #firmware: FirmwareVersion[] = [];
  readonly #faults: string[] = [];
  /** When the gateway first called probe-rs. */
  #beganMs: number | undefined;
  /** The session that runs. */
  #running:
    | { readonly from_s: number; readonly ended: Promise<void> }
    | undefined;
  /** Who shall end, and since when. */
  #asked:
    | { readonly how: "killed" | "stopped"; readonly at_s: number }
    | undefined;

  constructor(
    plan: Plan,
    { bench, gateway, say, brokerPort, whenWell }: WorldOptions,
  ) {
    this.#plan = plan;
    this.#bench = bench;
    this.#gateway = gateway;
    this.#say = say;
    this.#whenWell = whenWell;
    this.#args = brokerPort === undefined ? [] : ["--embedded-broker"];
    this.#store = new FolderStore(bench.path("state"));
  }

  async run(): Promise<Evidence> {
    const { boards, calm_s, acts } = this.#plan;
    for (const board of boards.keys()) await this.#replace(board, "replace");
    const over = new AbortController();
    let sampling = Promise.resolve();
    try {
      this.#start();
      this.#beganMs = await eventually(
        "the gateway calls probe-rs",
        () => readBegan(this.#store),
      );
      sampling = this.#keepSampling(over.signal);
      for (const act of acts) {
        await this.#until(act.at_s);
        await this.#act(act);
      }
      await this.#until(calm_s);
      await this.#settle();
      await this.#whenWell?.();
      await this.#end("stopped");
    } finally {
      over.abort();
      await sampling;
      if (this.#running) await this.#end("killed");
      await this.#expectNobody();
    }
    return await this.#evidence();
  }

  /** 0 before the bench began. */
  get #nowS(): number {
    return this.#beganMs === undefined
      ? 0
      : (Date.now() - this.#beganMs) / 1000;
  }

  get #journal(): string {
    return join(this.#gateway.folder, "journal");
  }

  async #until(atS: number): Promise<void> {
    const never = new AbortController().signal;
    while (this.#nowS < atS) await wait((atS - this.#nowS) * 1000 + 1, never);
  }

  async #act({ do: word, board, pause_s }: Act): Promise<void> {
    this.#tell(word);
    switch (word) {
      case "kill":
      case "stop":
        await this.#end(word === "kill" ? "killed" : "stopped");
        await this.#until(this.#nowS + pause_s);
        return this.#start();
      case "replace":
      case "copy":
        return await this.#replace(board, word);
      case "release":
      case "take": {
        const { name } = this.#plan.boards[board]!;
        const minutes = word === "release" ? 1 : 0;
        // It may be starting, ending, or programming the board.
        await ask(this.#journal, { do: "release", board: name, minutes })
          .catch((error) => this.#tell(`${word}: ${error.message}`));
      }
    }
  }

  #start(): void {
    const from_s = this.#nowS;
    this.#asked = undefined;
    const session = this.#sessions.length;
    const logged = this.#gateway.log.length;
    this.#gateway.start(...this.#args);
    const ended = this.#gateway.end().then(async (code) => {
      const to_s = this.#nowS;
      this.#running = undefined;
      const how = this.#asked?.how ?? "died";
      for (const pid of await processesOf(this.#bench.folder)) {
        this.#leftovers.push(this.#watch(session, pid));
      }
      const hasBegun = this.#gateway.log.length > logged;
      const asked_s = this.#asked?.at_s ?? to_s;
      this.#sessions.push({ from_s, asked_s, to_s, how, code, hasBegun });
      this.#tell(`the gateway has ended (${how}, ${code})`);
      if (how === "died") this.#faults.push(`It ended by itself with ${code}`);
    });
    this.#running = { from_s, ended };
  }

  async #end(how: "killed" | "stopped"): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#asked = { how, at_s: this.#nowS };
    try {
      Deno.kill(this.#gateway.pid, how === "killed" ? "SIGKILL" : "SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await running.ended;
  }

  async #watch(session: number, pid: number): Promise<Leftover> {
    const deadlineMs = Date.now() + WATCHED_MS;
    while (Date.now() < deadlineMs) {
      if (!await isOf(pid, this.#bench.folder)) {
        return { session, pid, gone_s: this.#nowS };
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return { session, pid, gone_s: undefined };
  }

  /** Ends what has outlived everything: it was seen, and must not stay. */
  async #expectNobody(): Promise<void> {
    await Promise.all(this.#leftovers);
    for (const pid of await processesOf(this.#bench.folder)) {
      this.#faults.push(`Process ${pid} has outlived everything`);
      Deno.kill(pid, "SIGKILL");
      while (await isOf(pid, this.#bench.folder));
    }
  }

  async #replace(board: number, how: "replace" | "copy"): Promise<void> {
    const path = this.#bench.path(firmwareFile(board));
    const version = this.#firmware.length;
    const bytes = new TextEncoder().encode(
      `\x7fELF ${version} ${"firmware ".repeat(100)}`,
    );
    const half = bytes.subarray(0, bytes.length / 2);
    if (how === "copy") {
      await this.#noteFirmware(board, half);
      await Deno.writeFile(path, half);
      await this.#until(this.#nowS + 0.5);
    }
    await this.#noteFirmware(board, bytes);
    await Deno.writeFile(`${path}.new`, bytes);
    await Deno.rename(`${path}.new`, path);
  }

  async #noteFirmware(
    board: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const hash = await crypto.subtle.digest("SHA-256", bytes);
    const sha256 = new Uint8Array(hash).toHex();
    this.#firmware.push({ board, at_s: this.#nowS, sha256 });
  }

  async #keepSampling(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.#sample();
      await wait(SAMPLE_MS, over);
    }
  }

  async #sample(): Promise<void> {
    const from_s = this.#nowS;
    const running = this.#asked === undefined ? this.#running : undefined;
    const records = await this.#records();
    const before = await readStarts(this.#store);
    const report = running === undefined ? null : await this.#status();
    const calls = before.filter(({ end }) => end === undefined);
    const alive: number[] = [];
    for (const { pid } of calls) {
      if (await isOf(pid, this.#bench.folder)) alive.push(pid);
    }
    for (const { pid } of Object.values(report?.children ?? {})) {
      if (pid === undefined || alive.includes(pid)) continue;
      if (await isOf(pid, this.#bench.folder)) alive.push(pid);
    }
    const isSame = running !== undefined && running === this.#running &&
      this.#asked === undefined;
    this.#samples.push({
      from_s,
      to_s: this.#nowS,
      session: isSame ? this.#sessions.length : undefined,
      boards: records.map(({ flash_cycles, flash, holder }) => ({
        flash_cycles,
        sha256: flash?.sha256 ?? null,
        reader: holder?.pid ?? null,
      })),
      report: isSame && report ? { children: report.children } : null,
      alive,
    });
  }

  async #status(): Promise<GatewayReport | null> {
    try {
      return await ask(this.#journal, { do: "status" }, { withinMs: 5_000 });
    } catch (error) {
      if (error instanceof Unreachable) return null;
      throw error;
    }
  }

  async #records(): Promise<BoardRecord[]> {
    return await Promise.all(
      this.#plan.boards.map(({ probe }) =>
        readRecord(this.#store, fileOf(probe))
      ),
    );
  }

  /** Waits until all is well again. */
  async #settle(): Promise<void> {
    const { isSwap } = this.#plan;
    const withinS = isSwap ? SWAP_WITHIN_S : SETTLED_WITHIN_S;
    const deadlineS = this.#nowS + withinS;
    const before = await this.#status();
    for (;;) {
      const missing = await this.#missing(before);
      if (missing === undefined) return this.#tell("all is well");
      if (this.#nowS > deadlineS) {
        this.#faults.push(`Not well within ${withinS} s: ${missing}`);
        return;
      }
      await this.#until(this.#nowS + 0.25);
    }
  }

  /** What is still to come; undefined: nothing. */
  async #missing(
    before: GatewayReport | null,
  ): Promise<string | undefined> {
    const report = await this.#status();
    if (report === null) return "the gateway does not answer";
    const records = await this.#records();
    for (const [i, planned] of this.#plan.boards.entries()) {
      const { name, probe, flash, reflashOnChange } = planned;
      const child = report.children?.[name];
      const state = firmwareAt(
        toScenario(this.#plan),
        probe,
        records[i]!,
        this.#nowS * this.#plan.scenario.speed,
      );
      const file = this.#firmware.findLast(({ board }) => board === i)?.sha256;
      const fits = state.firmware === file;
      const speaks = fits && !state.frozen && !state.panicked;
      const isOld = this.#plan.scenario.version.startsWith("0.24");
      const packets = ({ journal: { boards } }: GatewayReport) =>
        boards.find((one) => one.name === name)?.packets ?? 0;
      if (child?.phase !== "running") {
        // That version does not wait for RTT.
        if (isOld && !fits && child?.failure?.kind === "no RTT") continue;
        return `board "${name}" is ${child?.phase} (${child?.failure?.kind})`;
      }
      if (speaks && packets(report) <= (before ? packets(before) : 0)) {
        return `no packet of board "${name}" comes`;
      }
      if (speaks && (child.failure ?? child.silence) !== undefined) {
        return `board "${name}" still tells of what was wrong`;
      }
      const mustFit = this.#plan.isSwap ||
        reflashOnChange && flash !== "never" &&
          this.#firmware.filter(({ board }) => board === i).length > 1;
      if (mustFit && !fits) return `board "${name}" is not programmed`;
    }
    return undefined;
  }

  async #evidence(): Promise<Evidence> {
    const { starts, boards: states } = await readBench(
      this.#bench.path("state"),
    );
    const counts = readReport(journalPath(this.#journal)).boards;
    const flash = await readFlash(this.#journal);
    const journalled = Map.groupBy(this.#rows(), ({ board }) => board);
    const boards = this.#plan.boards.map(({ name, probe }): BoardEvidence => {
      const state = states.find((one) => one.probe === probe);
      const { lines, packets, rejects, other, truncated } = counts.find((one) =>
        one.name === name
      ) ?? NO_LINES;
      return {
        flash_cycles: state?.flash_cycles ?? 0,
        freezes: state?.freezes ?? 0,
        journalled: (journalled.get(name) ?? []).map(({ key }) => key),
        counts: { lines, packets, rejects, other, truncated },
        cyclesAtMost: flash[name]?.cyclesAtMost ?? 0,
      };
    });
    return {
      plan: this.#plan,
      beganMs: this.#beganMs ?? 0,
      log: this.#gateway.log,
      sessions: this.#sessions,
      leftovers: await Promise.all(this.#leftovers),
      calls: await this.#calls(starts),
      samples: this.#samples,
      firmware: this.#firmware,
      boards,
      faults: this.#faults,
    };
  }

  #rows(): { board: string; key: string }[] {
    using reader = new JournalReader(journalPath(this.#journal));
    const all = { fromUs: -Infinity, toUs: Infinity };
    return [...reader.packets(all)].flatMap(({ rows }) =>
      rows.map(({ board, boardTs, readings }) => ({
        board,
        key: packetKey(boardTs, readings),
      }))
    );
  }

  async #calls(starts: readonly Start[]): Promise<Call[]> {
    const { boards, scenario: { speed } } = this.#plan;
    const pieces = await Promise.all(
      boards.map(({ probe }) => readPrinted(this.#bench.path("state"), probe)),
    );
    return starts.flatMap(({ pid, at_s, args, end }): Call[] => {
      const [command] = args;
      const board = boards.findIndex(({ probe }) => args.includes(probe));
      if (command !== "run" && command !== "attach") return [];
      const from_s = at_s / speed;
      return [{
        session: this.#sessions.findLastIndex((one) => one.from_s <= from_s),
        board,
        pid,
        command,
        from_s,
        end: end && { at_s: end.at_s / speed, why: end.why },
        pieces: (pieces[board] ?? []).filter((one) => one.pid === pid)
          .map((one) => ({ at_s: one.at_s / speed, text: one.text })),
      }];
    });
  }

  #tell(text: string): void {
    this.#say(`${this.#nowS.toFixed(1).padStart(6)} ${text}`);
  }
}
