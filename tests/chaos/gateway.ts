/**
 * The gateway under test: started, killed, asked to stop, held still, and started again when it ends
 * by itself, as a service manager does.
 *
 * Each session writes a log of its own into the run's folder.
 *
 * @module
 */

import { join } from "node:path";
import { lockOwner } from "../../lib/journal/lock.ts";
import type { Status } from "../../lib/monitor/status.ts";
import type { Program } from "../cli/program.ts";
import { findProgram } from "../servers.ts";
import type { JournalDisk } from "./journal_disk.ts";

/** From one start to the end. */
export interface Session {
  readonly number: number;
  readonly startedAtMs: number;
  /** By the real clock, when its end was seen. */
  readonly endedAtMs: number;
  /** `died`: nobody had asked for it. */
  readonly how: "killed" | "stopped" | "died";
  readonly code: number;
}

/** Options for {@linkcode ChaosGateway}. */
export interface ChaosGatewayOptions {
  readonly program: Program;
  /** Holds config.toml, and takes the logs. */
  readonly folder: string;
  readonly disk: JournalDisk;
  /** Its wall clock can be set. */
  readonly fakeClock: boolean;
  /** It ended and nobody had asked for it; it is started again in a second. */
  onDeath(session: Session): void;
  /** A session is over, and the next has not begun. */
  onEnd(session: Session): Promise<void>;
}

/** What the program of the board is called, for the look whether one was left behind. */
export const BOARD_PROGRAM = "tests/chaos/board.ts";

const RESTART_MS = 1000;
/** An end in order takes `gateway.stop_timeout_s`, and a moment for a busy machine. */
const END_DEADLINE_MS = 20_000;
/** The guard ends a child at once, or when a stall of its own is over. */
const ORPHAN_DEADLINE_MS = 6_000;

/** The gateway as a process. */
export class ChaosGateway implements AsyncDisposable {
  readonly sessions: Session[] = [];
  readonly #options: ChaosGatewayOptions;
  #child: Deno.ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #asked: "killed" | "stopped" | undefined;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #clockOffsetS = 0;
  #number = 0;

  constructor(options: ChaosGatewayOptions) {
    this.#options = options;
  }

  /** What runs a command of the program with this gateway's configuration and disk. */
  command(...args: readonly string[]): string[] {
    const { folder, program } = this.#options;
    return [
      ...this.#prefix,
      ...program.command,
      ...args,
      ...["--config", join(folder, "config.toml")],
    ];
  }

  /** Process id, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it; nothing if it runs. */
  start(): void {
    clearTimeout(this.#restart);
    if (this.#child !== undefined) return;
    const number = ++this.#number;
    const startedAtMs = Date.now();
    this.#asked = undefined;
    const child = this.#spawn([
      ...["sh", "-c", 'exec 2>>"$0"; exec "$@"', this.logPath(number)],
      ...this.command("run"),
    ], "null");
    this.#child = child;
    this.#ended = child.status.then(async ({ code }) => {
      this.#child = undefined;
      const how = this.#asked ?? "died";
      const session = {
        number,
        startedAtMs,
        endedAtMs: Date.now(),
        how,
        code,
      } as const;
      this.sessions.push(session);
      if (how === "died") this.#options.onDeath(session);
      await this.#options.onEnd(session);
      if (how === "died") {
        this.#restart = setTimeout(() => this.start(), RESTART_MS);
      }
    });
  }

  /** `kill -9` */
  async kill(): Promise<void> {
    clearTimeout(this.#restart);
    this.#asked ??= "killed";
    this.#signal("SIGKILL");
    await this.#ended;
    clearTimeout(this.#restart);
  }

  /**
   * Asks it to end, and waits for that.
   *
   * @returns the exit code; undefined if it did not run
   * @throws {Error} if it does not end
   */
  async stop(
    signal: "SIGTERM" | "SIGINT" | "SIGHUP",
  ): Promise<number | undefined> {
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) return undefined;
    this.#asked ??= "stopped";
    this.#signal(signal);
    const timer = setTimeout(() => this.#signal("SIGKILL"), END_DEADLINE_MS);
    const { code, signal: endedBy } = await child.status;
    clearTimeout(timer);
    await this.#ended;
    if (endedBy === "SIGKILL") {
      throw new Error(
        `The gateway did not end within ${
          END_DEADLINE_MS / 1000
        } s of ${signal}`,
      );
    }
    return code;
  }

  /** Holds it still, until {@linkcode thaw}. */
  freeze(): void {
    this.#signal("SIGSTOP");
  }

  thaw(): void {
    this.#signal("SIGCONT");
  }

  /** Sets its wall clock off the real one. Seen within a second. */
  async setClock(offsetS: number): Promise<void> {
    this.#clockOffsetS = offsetS;
    const path = this.#clockPath;
    await Deno.writeTextFile(`${path}.new`, this.#clockText);
    await Deno.rename(`${path}.new`, path);
  }

  /** Ends the board's program, as a fault of its own would; false if none runs. */
  async killBoard(): Promise<boolean> {
    const [pid] = await this.boards();
    if (pid === undefined) return false;
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      return false; // It has ended meanwhile.
    }
    return true;
  }

  /** Process ids of the board's programs that run. */
  async boards(): Promise<number[]> {
    const found = await this.#boardProcesses();
    // Not the shell that is about to become it.
    return found.filter(({ words: [program, run] }) =>
      program?.endsWith("deno") && run === "run"
    ).map(({ pid }) => pid);
  }

  /**
   * Comes in the moment in which the board's program is being spawned, or early when `signal` is aborted.
   */
  async spawnsBoard(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#child !== undefined) {
      if ((await this.#boardProcesses()).length > 0) return;
    }
  }

  /** Processes that are the board's program, or become it. */
  async #boardProcesses(): Promise<{ pid: number; words: string[] }[]> {
    const found: { pid: number; words: string[] }[] = [];
    for await (const { name } of Deno.readDir("/proc")) {
      if (!/^\d+$/.test(name) || Number(name) === this.pid) continue;
      const command = await Deno.readTextFile(`/proc/${name}/cmdline`)
        .catch(() => "");
      const words = command.split("\0");
      const isOurs = words.some((word) => word.endsWith(BOARD_PROGRAM)) &&
        words.includes(this.#options.folder);
      if (isOurs) found.push({ pid: Number(name), words });
    }
    return found;
  }

  /**
   * Waits until nothing of a session is left.
   *
   * @throws {Error} if the board's program outlives it, or the lock is still held
   */
  async expectNothingLeft(timeoutMs = ORPHAN_DEADLINE_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const boards = (await this.#boardProcesses()).map(({ pid }) => pid);
      const owner = await lockOwner(this.#options.disk.outside);
      if (boards.length === 0 && owner === null) return;
      if (performance.now() > deadline) {
        throw new Error(
          boards.length > 0
            ? `The board's program outlived the gateway: process ${boards}`
            : `The journal's lock is still held, by process ${owner}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** `status --json` */
  async status(): Promise<Status> {
    const { stdout, stderr } = await this.#spawn(
      this.command("status", "--json"),
      "piped",
    ).output();
    const decoder = new TextDecoder();
    if (stdout.length === 0) throw new Error(decoder.decode(stderr));
    return JSON.parse(decoder.decode(stdout)) as Status;
  }

  /** The log of a session. */
  logPath(number: number): string {
    const name = `gateway-${String(number).padStart(3, "0")}.log`;
    return join(this.#options.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw();
    await this.kill();
    while (await this.killBoard());
  }

  get #clockPath(): string {
    return join(this.#options.folder, "clock");
  }

  get #clockText(): string {
    return `${this.#clockOffsetS < 0 ? "" : "+"}${this.#clockOffsetS}\n`;
  }

  get #prefix(): string[] {
    const { disk, fakeClock } = this.#options;
    if (!fakeClock) return [...disk.prefix];
    return [
      ...disk.prefix,
      "env",
      `LD_PRELOAD=${libfaketime()}`,
      `FAKETIME_TIMESTAMP_FILE=${this.#clockPath}`,
      "FAKETIME_CACHE_DURATION=1",
      "DONT_FAKE_MONOTONIC=1",
    ];
  }

  #signal(name: Deno.Signal): void {
    try {
      this.#child?.kill(name);
    } catch {
      // It has ended.
    }
  }

  #spawn(command: readonly string[], output: "null" | "piped") {
    const [program = "", ...args] = command;
    return new Deno.Command(program, {
      args,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: output,
      stderr: output,
    }).spawn();
  }
}

/** The library that `faketime` loads: Debian keeps it in the folder of the architecture. */
function libfaketime(): string {
  findProgram("faketime");
  const arch = Deno.build.arch === "aarch64" ? "aarch64" : "x86_64";
  return `/usr/lib/${arch}-linux-gnu/faketime/libfaketime.so.1`;
}
