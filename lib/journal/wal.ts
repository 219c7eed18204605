/**
 * SQLite's write-ahead log, read without SQLite: which of its frames count, and which do not although
 * something can be read in them.
 *
 * SQLite reads up to the last commit before the first frame whose checksum does not fit, and says
 * nothing of what stands behind: after a power cut that is right, after a flipped bit it is a loss.
 *
 * @see https://www.sqlite.org/fileformat2.html "The Write-Ahead Log"
 * @module
 */

import { PAGE_BYTES } from "./database.ts";

/** A page as the log holds it. */
export interface Frame {
  /** The page's number in the file, from 1. */
  readonly page: number;
  /** {@linkcode PAGE_BYTES} long. */
  readonly data: Uint8Array;
  /** Whether it ends a transaction. */
  readonly commits: boolean;
}

/** A log's frames by what they are worth, in the order in which they were written. */
export interface Wal {
  /** What SQLite reads. */
  readonly committed: readonly Frame[];
  /** Written in the same run of the log, and behind a frame that is missing or broken. */
  readonly orphaned: readonly Frame[];
  /** Left from earlier runs of the log; the file got them since. */
  readonly older: readonly Frame[];
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;
/** More pages than any journal has: a larger number is damage. */
const MAX_PAGE = 2 ** 28;

/** Takes a log apart; the frames share its memory. */
export function readWal(bytes: Uint8Array): Wal {
  const wal = { committed: [], orphaned: [], older: [] } as Record<
    keyof Wal,
    Frame[]
  >;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES + FRAME_HEADER_BYTES) return wal;
  const littleEndian = (view.getUint32(0) & 1) === 0;
  const sum = new Checksum(littleEndian);
  sum.add(view, 0, 24);
  let chained = (view.getUint32(0) & ~1) === MAGIC &&
    view.getUint32(8) === PAGE_BYTES && sum.equals(view, 24);
  // Without a header the first frame tells the run.
  const salt = view.getBigUint64(chained ? 16 : HEADER_BYTES + 8);
  const older: { frame: Frame; runsAgo: number }[] = [];
  let uncommitted = 0;
  const size = FRAME_HEADER_BYTES + PAGE_BYTES;
  for (let at = HEADER_BYTES; at + size <= bytes.length; at += size) {
    const frame = {
      page: view.getUint32(at),
      data: bytes.subarray(at + FRAME_HEADER_BYTES, at + size),
      // A frame that commits carries the size of the file.
      commits: view.getUint32(at + 4) !== 0,
    };
    const current = view.getBigUint64(at + 8) === salt;
    if (chained) {
      sum.add(view, at, 8);
      sum.add(view, at + FRAME_HEADER_BYTES, PAGE_BYTES);
      chained = current && sum.equals(view, at + 16);
    }
    if (frame.page === 0 || frame.page > MAX_PAGE) continue;
    if (chained) {
      wal.committed.push(frame);
      uncommitted = frame.commits ? 0 : uncommitted + 1;
    } else if (current) wal.orphaned.push(frame);
    else {
      // The first half of the salt counts the runs; each writes over the log from its beginning.
      const runsAgo = (Number(salt >> 32n) - view.getUint32(at + 8)) >>> 0;
      older.push({ frame, runsAgo });
    }
  }
  wal.older.push(
    ...older.sort((a, b) => b.runsAgo - a.runsAgo).map(({ frame }) => frame),
  );
  if (uncommitted > 0) {
    wal.orphaned.unshift(...wal.committed.splice(-uncommitted));
  }
  return wal;
}

/** The log's running checksum. */
class Checksum {
  readonly #littleEndian: boolean;
  #a = 0;
  #b = 0;

  constructor(littleEndian: boolean) {
    this.#littleEndian = littleEndian;
  }

  add(view: DataView, start: number, bytes: number): void {
    let [a, b] = [this.#a, this.#b];
    for (let at = start; at < start + bytes; at += 8) {
      a = (a + view.getUint32(at, this.#littleEndian) + b) >>> 0;
      b = (b + view.getUint32(at + 4, this.#littleEndian) + a) >>> 0;
    }
    [this.#a, this.#b] = [a, b];
  }

  equals(view: DataView, at: number): boolean {
    return view.getUint32(at) === this.#a && view.getUint32(at + 4) === this.#b;
  }
}
