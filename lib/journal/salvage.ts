/**
 * Salvage: what the pages of a broken journal still hold, brought into a new one.
 *
 * It depends on no header and no tree. Every leaf cell that can be decoded is tried: its columns tell
 * the table, and a checksum of its own tells whether it is what the journal wrote. So nothing is
 * invented; whether a row that is found had been given up long ago is for `reconcile.ts` to see.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { rowChecksum, toEpoch as readEpoch, toSinkState } from "./database.ts";
import type { Epoch, StoredRow } from "./disk.ts";
import { Ledger } from "./ledger.ts";
import type { PageImages } from "./page_images.ts";
import { readCells, type TableRow, type Value } from "./record.ts";
import { readSeal } from "./seal.ts";

/** Rows written in one transaction. */
const CHUNK_ROWS = 5000;

/**
 * What the columns of each table hold: `k` the key (null in a record), `i` an integer, `?` an integer
 * or null, `v` a number or what is none as a text (`encodeValue`), `t` a text.
 */
const SHAPES: readonly (readonly [table: string, shape: string])[] = [
  ["packets", "kiii?iiti"],
  ["epochs", "ktiti"],
  ["boards", "ktiiiiit"],
  ["sinks", "kttiiiiiiiiit"],
  ["parked", "kiiiitvt"],
  ["rejects", "kitttt"],
  ["adopted", "ti"],
];

/** Brings everything that the pages hold into `db`, a new journal. */
export function salvage(images: PageImages, db: DatabaseSync): void {
  const target = new SalvageTarget(db);
  for (const { data, current } of images.all()) {
    for (const cell of readCells(data, (number) => images.page(number))) {
      const table = tableOf(cell.values);
      if (table === undefined) continue;
      // A packet proves itself. Anything else may only come from where SQLite would look for it.
      const trusted = table === "packets"
        ? isSoundPacket(cell)
        : cell.counted && isSound(table, cell, current);
      if (trusted) target.add(table, cell);
    }
  }
  target.end();
}

/** What stands only in parts of the log that SQLite does not read. */
export interface Strays {
  /** In order. */
  readonly packets: readonly StoredRow[];
  readonly epochs: readonly Epoch[];
}

/**
 * Looks for packets after `seq` in what SQLite does not read of the log.
 *
 * A transaction with packets is synced before the next one begins. So when those of one transaction
 * alone are found, that one was under way when the power went: nobody was told of it, and only packets
 * without a gap are taken. When there are more, the log was damaged later, and all of them count.
 */
export function findStrays(images: PageImages, seq: number): Strays {
  const found = new Map<number, StoredRow>();
  const epochs = new Map<number, Epoch>();
  let newest = seq;
  let transactions = 0;
  let grows = false;
  for (const { data, commits } of images.orphaned) {
    for (const cell of readCells(data, (number) => images.page(number))) {
      const table = tableOf(cell.values);
      if (table === "packets" && cell.rowid > seq && isSoundPacket(cell)) {
        found.set(cell.rowid, toStoredRow(cell));
        grows ||= cell.rowid > newest;
        newest = Math.max(newest, cell.rowid);
      } else if (table === "epochs" && cell.counted) {
        epochs.set(cell.rowid, toEpoch(cell));
      }
    }
    if (!commits) continue;
    if (grows) transactions++;
    grows = false;
  }
  const packets = [...found.values()].sort((a, b) => a.seq - b.seq)
    .filter((row, i) =>
      transactions + Number(grows) > 1 || row.seq === seq + 1 + i
    );
  return { packets, epochs: packets.length > 0 ? [...epochs.values()] : [] };
}

function toEpoch({ rowid, values }: TableRow): Epoch {
  const [, boot_id, offset_us, quality, , known_by, ...more] = values;
  const [corrected_us, first_us, last_us] = more;
  return readEpoch({
    ...{ id: rowid, boot_id, offset_us, quality, known_by },
    ...{ corrected_us, first_us, last_us },
  });
}

/** Inserts rows as they were stored; those that are there already stay. */
class SalvageTarget {
  readonly #db: DatabaseSync;
  readonly #inserts = new Map<string, StatementSync>();
  readonly #columns = new Map<string, readonly string[]>();
  #rows = 0;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Adds a row of `table`; columns that the table does not know are left out. */
  add(table: string, { rowid, values }: TableRow): void {
    if (this.#rows === 0) this.#db.exec("BEGIN");
    const columns = this.#columnsOf(table);
    const known = values.slice(0, columns.length);
    const key = `${table} ${known.length}`;
    let insert = this.#inserts.get(key);
    if (insert === undefined) {
      insert = this.#db.prepare(
        `INSERT OR IGNORE INTO ${table} (${
          columns.slice(0, known.length).join(", ")
        }) VALUES (${known.map(() => "?").join(", ")})`,
      );
      this.#inserts.set(key, insert);
    }
    // A key that is the row's id stands as null in the record.
    insert.run(...known[0] === null ? [rowid, ...known.slice(1)] : known);
    if (++this.#rows === CHUNK_ROWS) this.end();
  }

  /** Writes what was added. */
  end(): void {
    if (this.#rows > 0) this.#db.exec("COMMIT");
    this.#rows = 0;
  }

  #columnsOf(table: string): readonly string[] {
    let columns = this.#columns.get(table);
    if (columns === undefined) {
      columns = this.#db.prepare(
        `SELECT name FROM pragma_table_info('${table}')`,
      )
        .all().map(({ name }) => String(name));
      this.#columns.set(table, columns);
    }
    return columns;
  }
}

function tableOf(values: readonly Value[]): string | undefined {
  return SHAPES.find(([, shape]) => fits(values, shape))?.[0];
}

function fits(values: readonly Value[], shape: string): boolean {
  // Newer versions add columns behind those of the shape.
  if (values.length < shape.length) return false;
  for (let i = 0; i < shape.length; i++) {
    if (!fitsKind(values[i], shape[i])) return false;
  }
  return true;
}

function fitsKind(value: Value | undefined, kind: string | undefined): boolean {
  switch (kind) {
    case "k":
      return value === null;
    case "i":
      return Number.isSafeInteger(value);
    case "?":
      return value === null || Number.isSafeInteger(value);
    case "v":
      return typeof value === "number" || typeof value === "string";
    default:
      return typeof value === "string";
  }
}

/** A row of `packets` as it is stored. */
function toStoredRow({ rowid, values }: TableRow): StoredRow {
  const [, board, epoch, monoUs, boardTs, readings, total, body] = values;
  return {
    seq: rowid,
    board: Number(board),
    epoch: Number(epoch),
    monoUs: Number(monoUs),
    boardTs: boardTs === null ? null : Number(boardTs),
    readings: Number(readings),
    total: Number(total),
    body: String(body),
  };
}

function isSoundPacket(row: TableRow): boolean {
  return rowChecksum(toStoredRow(row)) === row.values[8];
}

function isSound(table: string, row: TableRow, current: boolean): boolean {
  const { rowid, values } = row;
  switch (table) {
    case "sinks":
      return isSoundSink(rowid, values);
    case "boards": {
      const [, , lines, packets, rejects, other, , latest] = values;
      return Number(lines) ===
          Number(packets) + Number(rejects) + Number(other) &&
        isJson(String(latest));
    }
    case "epochs":
      return true;
    default:
      return current;
  }
}

function isSoundSink(id: number, values: readonly Value[]): boolean {
  const [, name, target, active, seq, total, seenTotal, ahead, parked] = values;
  const [received, requeued, delivered, dropped, seal, delivered_ahead] = values
    .slice(9);
  try {
    const state = toSinkState({
      ...{ id, name, target, active, seq, total, ahead, parked },
      ...{ received, requeued, delivered, dropped, seen_total: seenTotal },
      ...{ delivered_ahead },
    });
    const sealed = readSeal(state, typeof seal === "string" ? seal : "");
    return sealed !== undefined ||
      new Ledger(state.ledger).imbalance(state.seenTotal) === 0;
  } catch {
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
