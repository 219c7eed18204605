/**
 * What the boards' flash holds, as far as it is known, and how often it may have been written: a small
 * file beside the journal, because it has to outlive the gateway.
 *
 * - That a `run` has begun is on the disk before it starts, and counted there. Whatever ends the
 *   gateway meanwhile, the next one knows that nobody knows what the flash holds.
 * - What is on the disk never counts less than was done.
 * - A disk that hangs or fails keeps no board from being started: then it is remembered in memory.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { wait } from "../wait.ts";
import { verbatim } from "./firmware_text.ts";
import {
  type FlashContent,
  flashPath,
  type FlashRecord,
  readFlashFile,
  writeFlashFile,
} from "./flash_file.ts";

/** A firmware on a board. */
export interface ProgrammedFirmware {
  /** Of the ELF file, in hex. */
  readonly sha256: string;
  readonly chip: string;
  /** As `normalizeSelector` makes it; null: the only probe that was there. */
  readonly probe_id: string | null;
}

/** What is known of a board's flash, for people and for programs. */
export interface FlashReport {
  /** SHA-256 of the ELF file that was programmed last; null: not known. */
  readonly firmware: string | null;
  /** How often it was written, at the most: probe-rs does not tell whether it wrote or found it equal. */
  readonly cyclesAtMost: number;
  /** So many of them most likely wrote nothing: probe-rs compared first, and the firmware was the one remembered. */
  readonly likelyNone: number;
}

/** What a disk that hangs may take of a start, in milliseconds. */
const DISK_WITHIN_MS = 2_000;

const log = getLogger(["gateway", "source"]);

/** The file; disposing brings it up to date. */
export class FlashMemory implements AsyncDisposable {
  readonly #path: string;
  readonly #boards = new Map<string, BoardFlash>();
  readonly #records = new Map<string, FlashRecord>();
  /** What the file holds beside the records. */
  #rest: Omit<FlashContent, "boards"> = { version: 1 };
  #isChanged = false;
  /** The file has been read, or holds nothing that can be used. */
  #hasRead = false;
  /** What the disk holds. */
  #onDisk = "";
  #writing: Promise<void> = Promise.resolve();
  /** What the log has heard of. */
  readonly #said = new Set<"read" | "write">();

  private constructor(folder: string) {
    this.#path = flashPath(folder);
  }

  /** Reads what is remembered in `folder`, the journal's, where the disk has it. Does not reject. */
  static async open(folder: string): Promise<FlashMemory> {
    const memory = new FlashMemory(folder);
    await within(DISK_WITHIN_MS, memory.#load());
    return memory;
  }

  /** What is known of the board `name`, which is "" in the single form. */
  board(name: string): BoardFlash {
    let board = this.#boards.get(name);
    if (board === undefined) {
      board = new BoardFlash({
        read: () => this.#records.get(name) ?? NOTHING,
        write: (record) => {
          this.#records.set(name, record);
          this.#isChanged = true;
        },
        save: () => this.#save(),
      });
      this.#boards.set(name, board);
    }
    return board;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#save();
  }

  async #load(): Promise<void> {
    const found = await readFlashFile(this.#path);
    // A disk that hung may answer twice.
    if (this.#hasRead) return;
    if ("why" in found) {
      this.#sayOnce(
        "read",
        `What the flash of the boards holds is not known: "${this.#path}" ${found.why}. It is programmed at the next start where it differs, and flash cycles are counted from 0`,
      );
    }
    if (found.kind === "useless") this.#hasRead = true;
    if (found.kind !== "content") return;
    this.#hasRead = true;
    this.#onDisk = found.text;
    const { boards, ...rest } = found.content;
    this.#rest = rest;
    for (const [name, before] of Object.entries(boards)) {
      const since = this.#records.get(name);
      this.#records.set(
        name,
        since === undefined ? before : {
          ...before,
          ...since,
          cycles: before.cycles + since.cycles,
          likely_none: before.likely_none + since.likely_none,
        },
      );
    }
  }

  /** Comes when the disk has all that is known now, fails, or takes too long. */
  async #save(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeFile());
    await within(DISK_WITHIN_MS, this.#writing);
  }

  async #writeFile(): Promise<void> {
    if (!this.#isChanged) return;
    try {
      // A disk that was not there when this was opened may hold the counts of before.
      if (!this.#hasRead) await this.#load();
      const boards = Object.fromEntries(this.#records);
      const text = `${JSON.stringify({ ...this.#rest, boards })}\n`;
      if (text === this.#onDisk) return;
      await writeFlashFile(this.#path, text);
      this.#onDisk = text;
      this.#hasRead = true;
    } catch (error) {
      const why = error instanceof Error ? error.message : error;
      this.#sayOnce(
        "write",
        `Cannot write "${this.#path}": ${why}. What was programmed is only remembered in memory, and the next gateway programs again where the flash differs`,
      );
    }
  }

  #sayOnce(what: "read" | "write", message: string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    log.warning(verbatim(message));
  }
}

/** Where a record lies. */
export interface FlashKeeper {
  read(): FlashRecord;
  write(record: FlashRecord): void;
  save(): Promise<void>;
}

const NOTHING: FlashRecord = {
  programmed: null,
  begun: false,
  cycles: 0,
  likely_none: 0,
};

/** What is known of the flash of one board. */
export class BoardFlash {
  readonly #keeper: FlashKeeper;
  /** Whether the `run` that is under way was counted as one that most likely writes nothing. */
  #likelyNone = false;

  /** Made by {@linkcode FlashMemory.board}. */
  constructor(keeper: FlashKeeper) {
    this.#keeper = keeper;
  }

  /** The firmware that it holds; undefined where that is not known. */
  get programmed(): ProgrammedFirmware | undefined {
    const { begun, programmed } = this.#keeper.read();
    return begun ? undefined : programmed ?? undefined;
  }

  /** What is known, and counted. */
  get report(): FlashReport {
    return toReport(this.#keeper.read());
  }

  /** A `run` begins when this comes back; if one before did not tell its end, it may have programmed. */
  async begin({ likelyNone }: { readonly likelyNone: boolean }): Promise<void> {
    const record = this.#keeper.read();
    this.#likelyNone = likelyNone;
    await this.#set({
      ...record,
      programmed: record.begun ? null : record.programmed,
      begun: true,
      cycles: record.cycles + 1,
      likely_none: record.likely_none + (likelyNone ? 1 : 0),
    });
  }

  /** The `run` has programmed `firmware`, or found it there. */
  async succeed(firmware: ProgrammedFirmware): Promise<void> {
    const record = this.#keeper.read();
    await this.#set({ ...record, programmed: { ...firmware }, begun: false });
  }

  /**
   * The `run` ended before it programmed anything. The disk is not told before it has to be anyway:
   * a board that cannot be reached is tried again every few seconds, and each try would say the same.
   */
  spare(): void {
    const record = this.#keeper.read();
    this.#keeper.write({
      ...record,
      begun: false,
      cycles: record.cycles - 1,
      likely_none: record.likely_none - (this.#likelyNone ? 1 : 0),
    });
  }

  async #set(record: FlashRecord): Promise<void> {
    this.#keeper.write(record);
    await this.#keeper.save();
  }
}

/** What the gateway that ran last in `folder` knew of each board's flash, by the board's name. */
export async function readFlash(
  folder: string,
): Promise<Readonly<Record<string, FlashReport>>> {
  const found = await readFlashFile(flashPath(folder));
  const boards = found.kind === "content"
    ? Object.entries(found.content.boards)
    : [];
  return Object.fromEntries(
    boards.map(([name, record]) => [name, toReport(record)]),
  );
}

function toReport(
  { begun, programmed, cycles, likely_none }: FlashRecord,
): FlashReport {
  return {
    firmware: begun ? null : programmed?.sha256 ?? null,
    cyclesAtMost: cycles,
    likelyNone: likely_none,
  };
}

/** Comes when `work` does, or after `ms`. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([work, wait(ms, done.signal)]);
  } finally {
    done.abort();
  }
}
