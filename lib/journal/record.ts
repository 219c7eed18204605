/**
 * A cell of a table's leaf page, and the record in it, without SQLite: for files whose header or tree
 * is broken.
 *
 * @see https://www.sqlite.org/fileformat2.html "B-tree Pages" and "Record Format"
 * @module
 */

import { PAGE_BYTES } from "./database.ts";

/** A column's value; the journal stores no blobs. */
export type Value = null | number | string;

/** A row as a page holds it: the columns in the order in which the table got them. */
export interface TableRow {
  readonly rowid: number;
  readonly values: readonly Value[];
}

/** A cell of a leaf page. */
export interface Cell extends TableRow {
  /** Whether the page counts the cell; otherwise it was deleted, or the page's header is broken. */
  readonly counted: boolean;
}

/** The first byte of a leaf page of a table. */
const LEAF = 0x0d;
const LEAF_HEADER_BYTES = 8;
/** Larger than any row of the journal: more is damage. */
const MAX_PAYLOAD_BYTES = 4 * 1024 * 1024;
/** The most of a payload that stays in its page, and the least: U−35 and (U−12)·32/255−23. */
const MAX_LOCAL = PAGE_BYTES - 35;
const MIN_LOCAL = Math.floor((PAGE_BYTES - 12) * 32 / 255) - 23;
const OVERFLOW_BYTES = PAGE_BYTES - 4;

const decoder = new TextDecoder();

/**
 * The cells of a leaf page that can be read; none of a page of another kind.
 *
 * @param page whole, {@linkcode PAGE_BYTES} long
 * @param readPage the page with a number, for what does not fit into one
 */
export function* readCells(
  page: Uint8Array,
  readPage: (number: number) => Uint8Array | undefined,
): Iterable<Cell> {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const kind = view.getUint8(0);
  // A page of another sound kind has none. One of no kind may be a leaf whose first byte was hit.
  if (kind === 0x02 || kind === 0x05 || kind === 0x0a) return;
  const count = kind === LEAF ? view.getUint16(3) : 0;
  for (let i = 0;; i++) {
    const pointer = LEAF_HEADER_BYTES + 2 * i;
    if (pointer + 2 > PAGE_BYTES) return;
    const start = view.getUint16(pointer);
    if (start < LEAF_HEADER_BYTES || start >= PAGE_BYTES - 4) {
      if (i >= count) return;
      continue;
    }
    const row = readCell(page, start, readPage);
    if (row !== null) yield { ...row, counted: i < count };
  }
}

function readCell(
  page: Uint8Array,
  start: number,
  readPage: (number: number) => Uint8Array | undefined,
): TableRow | null {
  const size = readVarint(page, start);
  if (size === null || size.value > MAX_PAYLOAD_BYTES) return null;
  const rowid = readVarint(page, size.end);
  if (rowid === null) return null;
  const payload = readPayload(page, rowid.end, size.value, readPage);
  const values = payload && decodeRecord(payload);
  return values && { rowid: rowid.value, values };
}

function readPayload(
  page: Uint8Array,
  start: number,
  size: number,
  readPage: (number: number) => Uint8Array | undefined,
): Uint8Array | null {
  let local = size;
  if (size > MAX_LOCAL) {
    local = MIN_LOCAL + (size - MIN_LOCAL) % OVERFLOW_BYTES;
    if (local > MAX_LOCAL) local = MIN_LOCAL;
  }
  if (start + local + (local < size ? 4 : 0) > PAGE_BYTES) return null;
  const head = page.subarray(start, start + local);
  if (local === size) return head;
  const payload = new Uint8Array(size);
  payload.set(head);
  let next = uint32(page, start + local);
  for (let at = local; at < size;) {
    const overflow = next === 0 ? undefined : readPage(next);
    if (overflow === undefined) return null;
    const part = overflow.subarray(4, 4 + Math.min(OVERFLOW_BYTES, size - at));
    payload.set(part, at);
    at += part.length;
    next = uint32(overflow, 0);
  }
  return payload;
}

/** The values of a record; null if it is none. */
export function decodeRecord(payload: Uint8Array): Value[] | null {
  const header = readVarint(payload, 0);
  if (header === null || header.value > payload.length) return null;
  const view = new DataView(
    payload.buffer,
    payload.byteOffset,
    payload.byteLength,
  );
  const values: Value[] = [];
  let body = header.value;
  for (let at = header.end; at < header.value;) {
    const type = readVarint(payload, at);
    if (type === null || type.end > header.value) return null;
    at = type.end;
    const bytes = bytesOf(type.value);
    if (bytes === null || body + bytes > payload.length) return null;
    values.push(readValue(view, type.value, body, bytes));
    body += bytes;
  }
  return body === payload.length ? values : null;
}

/** Bytes of a value of serial type `type`; null for one that the journal does not write. */
function bytesOf(type: number): number | null {
  if (type <= 9) return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0][type] ?? null;
  return type >= 13 && type % 2 === 1 ? (type - 13) / 2 : null;
}

function readValue(
  view: DataView,
  type: number,
  at: number,
  bytes: number,
): Value {
  switch (type) {
    case 0:
      return null;
    case 1:
      return view.getInt8(at);
    case 2:
      return view.getInt16(at);
    case 3:
      return view.getInt8(at) * 0x10000 + view.getUint16(at + 1);
    case 4:
      return view.getInt32(at);
    case 5:
      return view.getInt16(at) * 0x100000000 + view.getUint32(at + 2);
    case 6:
      return view.getInt32(at) * 0x100000000 + view.getUint32(at + 4);
    case 7:
      return view.getFloat64(at);
    case 8:
      return 0;
    case 9:
      return 1;
    default:
      return decoder.decode(
        new Uint8Array(view.buffer, view.byteOffset + at, bytes),
      );
  }
}

/** Big-endian, seven bits a byte, at most nine bytes; null beyond what a number holds exactly. */
function readVarint(
  bytes: Uint8Array,
  start: number,
): { value: number; end: number } | null {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return null;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      return value <= Number.MAX_SAFE_INTEGER
        ? { value, end: start + i + 1 }
        : null;
    }
  }
  return null;
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}
