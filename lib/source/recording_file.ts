/**
 * A recording on disk: FILE, and FILE.1 with what came before it, together at most so large.
 *
 * - Each file begins with a header, so that either can be read alone, and both one behind the other.
 * - What is there already is gone on with, if it is a recording; anything else is never touched.
 * - A line that could not be written whole is taken away again where that is possible.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { RecordingTarget } from "./recorder.ts";
import {
  formatEntry,
  type RecordedChild,
  RECORDING_BEGINNING,
  type RecordingEntry,
  type RecordingHeader,
} from "./recording.ts";

/** Options for {@linkcode RecordingFile}. */
export interface RecordingFileOptions {
  /** Of both files together. */
  readonly maxBytes: number;
  /** Whether neither file may be there yet. @default {false} */
  readonly isNew?: boolean;
}

const LF = 0x0a;

/** Writes one recording after the other. */
export class RecordingFile implements RecordingTarget, Disposable {
  readonly name: string;
  readonly #maxBytes: number;
  /** Names that must be free. */
  readonly #free: Set<string>;
  readonly #encoder = new TextEncoder();
  #file: Deno.FsFile | undefined;
  /** Bytes of the open file that are whole lines. */
  #size = 0;
  #header: RecordingHeader | undefined;
  #running: RecordedChild | null = null;
  #last: Promise<void> = Promise.resolve();

  constructor(path: string, { maxBytes, isNew = false }: RecordingFileOptions) {
    this.name = path;
    this.#maxBytes = maxBytes / 2;
    this.#free = new Set(isNew ? [path, `${path}.1`] : []);
  }

  /** Opens the file, or makes it. @throws {Error} if it cannot be written, or holds something else */
  async open(): Promise<void> {
    if (this.#file !== undefined) return;
    for (const path of this.#free) await refuseExisting(path);
    await refuseStranger(this.name);
    const isNew = this.#free.delete(this.name);
    const file = await Deno.open(this.name, {
      read: true,
      append: true,
      ...(isNew ? { createNew: true } : { create: true }),
      // It holds whatever the board prints.
      mode: 0o600,
    });
    try {
      const { size } = await file.stat();
      this.#size = size;
      this.#file = file;
      if (size > 0 && !await endsWithLine(file, size)) await this.#put("\n");
    } catch (error) {
      this.#file = undefined;
      file.close();
      throw error;
    }
  }

  /** Writes entries; one call at a time is carried out. */
  write(entries: readonly RecordingEntry[]): Promise<void> {
    const writing = this.#last.then(() => this.#write(entries));
    this.#last = writing.catch(() => {});
    return writing;
  }

  /** What is being written may be cut: a disk that hangs must not hold up the end. */
  [Symbol.dispose](): void {
    this.#close();
  }

  async #write(entries: readonly RecordingEntry[]): Promise<void> {
    let text = "";
    let bytes = 0;
    const flush = async () => {
      await this.#put(text);
      text = "";
      bytes = 0;
    };
    try {
      for (const entry of entries) {
        const before = this.#running;
        this.#note(entry);
        const line = `${formatEntry(entry)}\n`;
        const length = Buffer.byteLength(line);
        const isOpen = this.#file !== undefined;
        if (!isOpen) await this.open();
        const isFull = this.#size + bytes + length > this.#maxBytes;
        if (isFull) {
          await flush();
          await this.#rotate();
        }
        if (!isOpen || isFull) {
          await this.#put(this.#head(entry, before));
          if (entry.kind === "header") continue;
        }
        text += line;
        bytes += length;
      }
      await flush();
    } catch (error) {
      for (const entry of entries) this.#note(entry);
      await this.#takeBack();
      throw error;
    }
  }

  /** Remembers what the next file has to begin with. */
  #note(entry: RecordingEntry): void {
    if (entry.kind === "header") {
      this.#header = entry;
      this.#running = entry.running;
    } else if (entry.kind === "start") {
      const { pid, command } = entry;
      this.#running = { pid, command };
    } else if (entry.kind === "end") this.#running = null;
  }

  /** The header of a file whose first entry is `entry`. */
  #head(entry: RecordingEntry, running: RecordedChild | null): string {
    const header = entry.kind === "header" ? entry : this.#header;
    if (header === undefined) throw new Error("A recording needs a header");
    const { ms } = entry;
    const time = new Date(Date.parse(header.time) + ms - header.ms);
    const moved = entry.kind === "header"
      ? {}
      : { ms, time: time.toISOString(), running };
    return `${formatEntry({ ...header, ...moved })}\n`;
  }

  async #put(text: string): Promise<void> {
    const bytes = this.#encoder.encode(text);
    const file = this.#file!;
    for (let written = 0; written < bytes.length;) {
      written += await file.write(bytes.subarray(written));
    }
    this.#size += bytes.length;
  }

  async #rotate(): Promise<void> {
    this.#close();
    const older = `${this.name}.1`;
    if (this.#free.delete(older)) await refuseExisting(older);
    await refuseStranger(older);
    await Deno.rename(this.name, older);
    await this.open();
  }

  /** Takes away what was not written whole. */
  async #takeBack(): Promise<void> {
    await this.#file?.truncate(this.#size).catch(() => {});
    this.#close();
  }

  #close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

async function endsWithLine(file: Deno.FsFile, size: number): Promise<boolean> {
  const last = new Uint8Array(1);
  await file.seek(size - 1, Deno.SeekMode.Start);
  await file.read(last);
  return last[0] === LF;
}

/** @throws {Error} if the file is there */
async function refuseExisting(path: string): Promise<void> {
  if (await Deno.lstat(path).catch(notFound) === null) return;
  throw new Deno.errors.AlreadyExists(
    `The file "${path}" is there already: remove it, or name another one`,
  );
}

/** @throws {Error} if the file is there, and neither a recording nor empty */
async function refuseStranger(path: string): Promise<void> {
  const info = await Deno.stat(path).catch(notFound);
  if (info === null) return;
  if (info.isFile) {
    const beginning = new Uint8Array(RECORDING_BEGINNING.length);
    using file = await Deno.open(path);
    const length = await file.read(beginning);
    const text = new TextDecoder().decode(beginning);
    if (length === null || text === RECORDING_BEGINNING) return;
  }
  throw new Error(
    `"${path}" is there and is no recording, so it is left alone: remove it, or name another file`,
  );
}

function notFound(error: unknown): null {
  if (error instanceof Deno.errors.NotFound) return null;
  throw error;
}
