/**
 * Reading through a journal without writing to it, also while a gateway writes.
 *
 * Each page is a look of its own: one that was held open would keep the write-ahead
 * log from being copied into the file, and it would grow without end.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { Row, TimeQuality } from "../model.ts";
import {
  openDatabase,
  readRejects,
  ROW_COLUMNS,
  rowChecksum,
} from "./database.ts";
import type { KeptReject, StoredRow } from "./disk.ts";
import { isMeant, type RejectFilter } from "./rejects.ts";
import { toRow } from "./rows.ts";

/** Up to 1,000 rows after one seq and up to another, with their times of day. */
const PAGE = `SELECT p.*, coalesce(e.offset_us, 0) + p.monoUs AS timeUs,
     CASE WHEN e.quality IN ('unknown', 'estimated') THEN e.quality ELSE 'known' END AS timeQuality
   FROM (
     SELECT ${ROW_COLUMNS}, crc FROM packets
     WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 1000
   ) p LEFT JOIN epochs e ON e.id = p.epoch ORDER BY p.seq`;

interface StampedRow extends StoredRow {
  readonly timeUs: number;
  readonly timeQuality: TimeQuality;
  readonly crc: number;
}

/** Which packets; microseconds since 1970. */
export interface TimeRange {
  /** From here on. */
  readonly fromUs: number;
  /** Before here. */
  readonly toUs: number;
}

/** A stretch of the journal that was looked at. */
export interface Page {
  /** Those of the range, in order. */
  readonly rows: readonly Row[];
  /** Rows of the range that are damaged: their checksum is wrong. */
  readonly damaged: number;
  /** How much of the journal has been looked at, from 0 to 1. */
  readonly part: number;
}

/** A journal that is read. */
export class JournalReader implements Disposable {
  readonly #db: DatabaseSync;

  /** Opens the file. @throws {Error} if there is none, or it cannot be read */
  constructor(path: string) {
    this.#db = openDatabase(path, { readOnly: true });
  }

  /** All packets of `range` that are there now, page by page. @throws {Error} at a damaged page */
  *packets({ fromUs, toUs }: TimeRange): Iterable<Page> {
    const [first, last] = [this.#seq("ASC"), this.#seq("DESC")];
    const names = new Map(
      this.#db.prepare("SELECT id, name FROM boards").all()
        .map(({ id, name }) => [Number(id), String(name)]),
    );
    const page = this.#db.prepare(PAGE);
    for (let after = Math.max(0, first - 1); after < last;) {
      const stored = page.all(after, last) as unknown as StampedRow[];
      after = stored.at(-1)?.seq ?? last;
      const meant = stored.filter(({ timeUs }) =>
        timeUs >= fromUs && timeUs < toUs
      );
      const sound = meant.filter((row) => rowChecksum(row) === row.crc);
      yield {
        rows: sound.map((row) =>
          toRow(row, {
            boardName: (id) => names.get(id) ?? "",
            time: () => ({
              timeUs: row.timeUs,
              timeQuality: row.timeQuality,
            }),
          })
        ),
        damaged: meant.length - sound.length,
        part: (after - first + 1) / (last - first + 1),
      };
    }
  }

  /** The rejects that `filter` means, in order. */
  *rejects(filter: RejectFilter): Iterable<KeptReject> {
    for (let after = 0;;) {
      const page = readRejects((sql) => this.#db.prepare(sql), after, 200);
      if (page.length === 0) return;
      after = page.at(-1)?.id ?? after;
      yield* page.filter((reject) => isMeant(reject, filter));
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #seq(order: "ASC" | "DESC"): number {
    const sql = `SELECT seq FROM packets ORDER BY seq ${order} LIMIT 1`;
    return Number(this.#db.prepare(sql).get()?.["seq"] ?? 0);
  }
}
