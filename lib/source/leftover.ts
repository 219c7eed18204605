/**
 * A board's program that outlived its gateway: found and ended by the next one, because it holds the
 * probe.
 *
 * `setpriv` lets none outlive it on Linux, unless it does not obey SIGTERM; elsewhere nothing does. So
 * each program that is started is noted in a file, with what tells it from any other process: that
 * file lies in the journal's folder, which one gateway has at a time. Not on Windows, where nothing
 * here can tell processes apart.
 *
 * @module
 */

import { describeError } from "../error_text.ts";
import { outputOf } from "../program_output.ts";
import { getBoardLogger } from "./board_log.ts";
import { signalGroup } from "./program.ts";

/** Options for {@linkcode Leftover.end}. */
export interface EndLeftoverOptions {
  /** Aborted to leave it as it is. */
  readonly signal: AbortSignal;
  /** From SIGTERM to SIGKILL, in milliseconds. */
  readonly stopTimeoutMs: number;
  /** Resolves after `ms`, or early, without an error, when `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** What the file says, as JSON. */
interface Note {
  readonly pid: number;
  /** See {@linkcode identify}. */
  readonly identity: string;
}

/** Between two looks whether it has ended. */
const LOOK_MS = 100;
/** A process that was killed is gone by then, and a file is written, unless the system holds it up. */
const SOON_MS = 1_000;

const log = getBoardLogger("source");

/** The file that names the program which runs; one for each board. */
export class Leftover {
  readonly #path: string;
  #noting: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Notes the program that has just been started. Comes when that is done; without an error where it
   * cannot be, because a disk that fails must not stop a board.
   */
  note(pid: number): Promise<void> {
    this.#noting = this.#noting.then(() => this.#write(pid)).catch((error) =>
      log.debug("Cannot note which program runs: {error}", {
        error: describeError(error),
      })
    );
    return this.#noting;
  }

  /** Comes when what was to be noted is, or after a second: a disk may hang. */
  async settled(wait: EndLeftoverOptions["wait"]): Promise<void> {
    const done = new AbortController();
    this.#noting.then(() => done.abort());
    await wait(SOON_MS, done.signal);
  }

  /** Ends the program that is noted, if it still runs and is that one. Does not reject. */
  async end(options: EndLeftoverOptions): Promise<void> {
    const note = await this.#read();
    if (note === undefined || !await isAlive(note)) return;
    const { pid } = note;
    const { signal, stopTimeoutMs } = options;
    log.warning(
      `A gateway that was killed has left its program behind: process ${pid} is ended, because it holds the probe`,
    );
    try {
      signalGroup(pid, "SIGTERM");
      if (await hasEnded(note, stopTimeoutMs, options) || signal.aborted) {
        return;
      }
      log.warning(
        `Process ${pid} did not end within ${
          stopTimeoutMs / 1000
        } s and was killed: the firmware may be frozen until reset`,
      );
      signalGroup(pid, "SIGKILL");
      if (await hasEnded(note, SOON_MS, options) || signal.aborted) return;
      log.error(
        `Process ${pid} cannot be ended: unplug the probe, or restart this PC`,
      );
    } catch (error) {
      log.error("Cannot end process {pid}: {error}", {
        pid,
        error: describeError(error),
      });
    }
  }

  async #write(pid: number): Promise<void> {
    const identity = await identify(pid);
    if (identity === undefined) return;
    const note: Note = { pid, identity };
    await Deno.writeTextFile(this.#path, JSON.stringify(note), { mode: 0o600 });
  }

  async #read(): Promise<Note | undefined> {
    try {
      const note = JSON.parse(await Deno.readTextFile(this.#path));
      const isNote = Number.isSafeInteger(note.pid) && note.pid > 1 &&
        typeof note.identity === "string";
      return isNote ? note : undefined;
    } catch {
      // There is none, or it was not written to its end.
      return undefined;
    }
  }
}

async function isAlive({ pid, identity }: Note): Promise<boolean> {
  return await identify(pid) === identity;
}

async function hasEnded(
  note: Note,
  withinMs: number,
  { signal, wait }: EndLeftoverOptions,
): Promise<boolean> {
  for (let ms = 0; ms < withinMs && !signal.aborted; ms += LOOK_MS) {
    if (!await isAlive(note)) return true;
    await wait(LOOK_MS, signal);
  }
  return !await isAlive(note);
}

/**
 * What no other process of that number has, also after a restart of the system: when it was started.
 * Undefined where there is no such process, and on Windows.
 */
async function identify(pid: number): Promise<string | undefined> {
  const { signal } = new AbortController();
  if (Deno.build.os === "windows") return undefined;
  if (Deno.build.os !== "linux") {
    const started = await outputOf(
      ["ps", "-o", "lstart=", "-p", `${pid}`],
      signal,
    );
    return started?.trim() || undefined;
  }
  // Deno lets only programs with all permissions read below /proc by themselves.
  const text = await outputOf(
    ["cat", "/proc/sys/kernel/random/boot_id", `/proc/${pid}/stat`],
    signal,
  );
  if (text === undefined) return undefined;
  const boot = text.slice(0, text.indexOf("\n"));
  // Behind the name, which may hold anything: the state is field 3, the start in ticks field 22.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? undefined : `${boot} ${fields[19]}`;
}
