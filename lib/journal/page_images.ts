/**
 * Every image of a page that a journal's files still hold: those of the write-ahead log and those of
 * the file itself, whatever can be read of them.
 *
 * @module
 */

import { PAGE_BYTES } from "./database.ts";
import { type Frame, readWal, type Wal } from "./wal.ts";

/** Pages read at once. */
const CHUNK_PAGES = 256;
/** A log is kept in memory while it is looked at; of a longer one the end is left out. */
const MAX_LOG_BYTES = 512 * 1024 * 1024;

/** An image of a page. */
export interface PageImage {
  /** {@linkcode PAGE_BYTES} long; what could not be read is zero. */
  readonly data: Uint8Array;
  /** Whether SQLite, too, would take this image for the page if the file were whole. */
  readonly current: boolean;
}

/** All images of a journal's pages. */
export class PageImages implements Disposable {
  readonly #file: Deno.FsFile | undefined;
  readonly #wal: Wal;
  /** The newest image of each page that the log has. */
  readonly #newest = new Map<number, Uint8Array>();

  /** Opens the files of the journal at `path`; those that are missing hold nothing. */
  constructor(path: string) {
    this.#wal = readWal(readIfThere(`${path}-wal`));
    for (const { page, data } of this.#wal.committed) {
      this.#newest.set(page, data);
    }
    for (const { page, data } of this.#wal.orphaned) {
      this.#newest.set(page, data);
    }
    this.#file = openIfThere(path);
  }

  /** What of the log SQLite does not read although it was written last, in order. */
  get orphaned(): readonly Frame[] {
    return this.#wal.orphaned;
  }

  /** All images, the newer ones of a page before the older ones. */
  *all(): Iterable<PageImage> {
    const seen = new Set<number>();
    for (
      const { page, data } of [...this.#wal.committed, ...this.#wal.orphaned]
        .reverse()
    ) {
      yield { data, current: !seen.has(page) };
      seen.add(page);
    }
    let number = 0;
    for (const data of this.#filePages()) {
      yield { data, current: !seen.has(++number) };
    }
    for (const { data } of this.#wal.older.toReversed()) {
      yield { data, current: false };
    }
  }

  /** The newest image of the page with a number, as far as it can be read. */
  page(number: number): Uint8Array | undefined {
    const newest = this.#newest.get(number);
    if (newest !== undefined || this.#file === undefined) return newest;
    const page = new Uint8Array(PAGE_BYTES);
    return this.#read(page, (number - 1) * PAGE_BYTES) > 0 ? page : undefined;
  }

  [Symbol.dispose](): void {
    this.#file?.close();
  }

  *#filePages(): Iterable<Uint8Array> {
    if (this.#file === undefined) return;
    const { size } = this.#file.statSync();
    const chunk = new Uint8Array(CHUNK_PAGES * PAGE_BYTES);
    for (let offset = 0; offset < size; offset += chunk.length) {
      chunk.fill(0);
      this.#read(chunk, offset);
      for (
        let at = 0;
        at < chunk.length && offset + at < size;
        at += PAGE_BYTES
      ) yield chunk.subarray(at, at + PAGE_BYTES);
    }
  }

  /** Reads what can be read; where the disk refuses, page by page. */
  #read(into: Uint8Array, offset: number): number {
    const file = this.#file;
    if (file === undefined) return 0;
    let read = 0;
    try {
      file.seekSync(offset, Deno.SeekMode.Start);
      while (read < into.length) {
        const bytes = file.readSync(into.subarray(read));
        if (bytes === null) break;
        read += bytes;
      }
    } catch {
      if (into.length === PAGE_BYTES) return 0;
      for (let at = 0; at < into.length; at += PAGE_BYTES) {
        const page = into.subarray(at, at + PAGE_BYTES);
        read = this.#read(page, offset + at) > 0 ? at + PAGE_BYTES : read;
      }
    }
    return read;
  }
}

function openIfThere(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function readIfThere(path: string): Uint8Array {
  using file = openIfThere(path);
  if (file === undefined) return new Uint8Array();
  const bytes = new Uint8Array(Math.min(file.statSync().size, MAX_LOG_BYTES));
  let read = 0;
  try {
    while (read < bytes.length) {
      const count = file.readSync(bytes.subarray(read));
      if (count === null) break;
      read += count;
    }
  } catch {
    // What stands behind a bad block of the log is of no use: its checksums are a chain.
  }
  return bytes.subarray(0, read);
}
