/**
 * What the boards' flash holds, as far as it is known, and how often it may have been written: a small
 * file beside the journal, because it has to outlive the gateway.
 *
 * - That a `run` has begun is on the disk before it starts, and counted there. Whatever ends the
 *   gateway meanwhile, the next one knows that nobody knows what the flash holds.
 * - What is on the disk never counts less than was done.
 * - The file is replaced whole: a new one is written, synced and renamed.
 * - A disk that hangs or fails keeps no board from being started: then it is remembered in memory.
 *
 * @module
 */

import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { z } from "zod";
import { wait } from "../wait.ts";
import { verbatim } from "./firmware_text.ts";

const FIRMWARE = z.looseObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  chip: z.string(),
  /** As `normalizeSelector` makes it; null: the only probe that was there. */
  probe_id: z.string().nullable(),
});
const RECORD = z.looseObject({
  /** Null: not known. */
  programmed: FIRMWARE.nullable(),
  /** A `run` began, and what became of it is not known: it may have programmed. */
  begun: z.boolean(),
  cycles: z.int().min(0),
  likely_none: z.int().min(0),
});
/** Loose, so that what a newer version adds survives one that does not know it. */
const CONTENT = z.looseObject({
  version: z.literal(1),
  boards: z.record(z.string(), RECORD),
});

type Content = z.output<typeof CONTENT>;
/** What is remembered of one board, as it lies in the file. */
export type FlashRecord = z.output<typeof RECORD>;

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
  readonly #folder: string;
  readonly #boards = new Map<string, BoardFlash>();
  #content: Content = { version: 1, boards: {} };
  /** Something was written down since it was opened, which is newer than what the disk may say late. */
  #isChanged = false;
  /** What the disk holds. */
  #onDisk = "";
  #writing: Promise<void> = Promise.resolve();
  #warned = false;

  private constructor(folder: string) {
    this.#folder = folder;
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
        read: () => this.#content.boards[name] ?? NOTHING,
        write: (record) => {
          this.#content.boards[name] = record;
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
    const { content, text, fault } = await readFlashFile(this.#path);
    if (fault !== undefined) {
      log.warning(
        verbatim(
          `What the flash of the boards holds is not known: "${this.#path}" ${fault}. It is programmed at the next start where it differs, and flash cycles are counted from 0`,
        ),
      );
    }
    if (content === undefined || this.#isChanged) return;
    this.#onDisk = text;
    this.#content = content;
  }

  /** Comes when the disk has all that is known now, fails, or takes too long. */
  async #save(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeFile());
    await within(DISK_WITHIN_MS, this.#writing);
  }

  async #writeFile(): Promise<void> {
    if (!this.#isChanged) return;
    const text = `${JSON.stringify(this.#content)}\n`;
    if (text === this.#onDisk) return;
    try {
      await replaceFile(this.#folder, this.#path, text);
      this.#onDisk = text;
    } catch (error) {
      if (!this.#warned) {
        const why = error instanceof Error ? error.message : error;
        log.warning(
          verbatim(
            `Cannot write "${this.#path}": ${why}. What was programmed is only remembered in memory, and the next gateway programs again where the flash differs`,
          ),
        );
      }
      this.#warned = true;
    }
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
  const { content } = await readFlashFile(flashPath(folder));
  const boards = Object.entries(content?.boards ?? {});
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

function flashPath(folder: string): string {
  return join(folder, "flash.json");
}

interface Found {
  /** Undefined where there is nothing that can be used. */
  readonly content?: Content;
  readonly text: string;
  /** Why the file that is there cannot be used. */
  readonly fault?: string;
}

async function readFlashFile(path: string): Promise<Found> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { text: "" };
    const why = error instanceof Error ? error.message : error;
    return { text: "", fault: `cannot be read: ${why}` };
  }
  try {
    const data: unknown = JSON.parse(text);
    const { data: content } = CONTENT.safeParse(data);
    if (content !== undefined) return { content, text };
    const isNewer = typeof data === "object" && data !== null &&
      "version" in data && Number(data.version) > 1;
    return {
      text,
      fault: isNewer
        ? "was written by a newer version of this program"
        : "is damaged",
    };
  } catch {
    return { text, fault: "is damaged" };
  }
}

/** Puts `text` where `path` is, whole or not at all. @throws {Error} if the disk refuses */
async function replaceFile(
  folder: string,
  path: string,
  text: string,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const fresh = `${path}.tmp`;
  {
    using file = await Deno.open(fresh, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await file.write(bytes.subarray(at));
    }
    await file.sync();
  }
  await Deno.rename(fresh, path);
  if (Deno.build.os === "windows") return;
  using directory = await Deno.open(folder);
  await directory.sync();
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
