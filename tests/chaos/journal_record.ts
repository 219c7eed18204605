/**
 * What the gateway's journal held, written down each time nobody had it open: a row that was there once
 * may not change, nor be forgotten before it was delivered.
 *
 * @module
 */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { indexOf, PATHS, valueOf } from "./packet.ts";

/** A row as the journal held it. */
export interface RecordedRow {
  readonly seq: number;
  /** The packet's number; undefined if the readings are no packet's. */
  readonly index: number | undefined;
  /** Microseconds since 1970. */
  readonly timeUs: number;
  /** The session of the gateway after which it was seen first. */
  readonly session: number;
}

/** All rows that the journal has ever held. */
export class JournalRecord {
  /** By seq. */
  readonly rows = new Map<number, RecordedRow>();
  /** What must not be so. */
  readonly faults: string[] = [];
  readonly #journalFolder: string;
  readonly #copyFolder: string;

  /** @param copyFolder keeps the journal as it was looked at last */
  constructor(journalFolder: string, copyFolder: string) {
    this.#journalFolder = journalFolder;
    this.#copyFolder = copyFolder;
  }

  /**
   * Looks at the journal as `session` left it: a copy, so that the gateway itself meets what the
   * session left.
   */
  async look(session: number): Promise<void> {
    const copy = this.#copyFolder;
    await Deno.remove(copy, { recursive: true }).catch(ignoreNotFound);
    await Deno.mkdir(copy);
    try {
      let there = false;
      for (const name of ["journal.db", "journal.db-wal"]) {
        await Deno.copyFile(join(this.#journalFolder, name), join(copy, name))
          .then(() => there = true, ignoreNotFound);
      }
      if (there) this.#read(join(copy, "journal.db"), session);
    } catch (error) {
      this.faults.push(`The journal after session ${session}: ${error}`);
    }
  }

  #read(path: string, session: number): void {
    using db = new DatabaseSync(path);
    const [check] = db.prepare("PRAGMA quick_check(1)").all();
    if (check?.["quick_check"] !== "ok") {
      this.faults.push(
        `The journal after session ${session} is damaged: ${
          check?.["quick_check"]
        }`,
      );
    }
    const hasRows = db.prepare(
      "SELECT 1 FROM sqlite_schema WHERE name = 'packets'",
    ).get();
    if (hasRows === undefined) return;
    const offsets = new Map(
      db.prepare("SELECT id, offset_us AS offsetUs FROM epochs").all().map((
        { id, offsetUs },
      ) => [Number(id), Number(offsetUs)]),
    );
    const rows = db.prepare(
      "SELECT seq, epoch, mono_us AS monoUs, body FROM packets ORDER BY seq",
    ).all();
    const newestBefore = Math.max(0, ...this.rows.keys());
    let last = Number(rows[0]?.["seq"] ?? 1) - 1;
    for (const row of rows) {
      const seq = Number(row["seq"]);
      if (seq !== last + 1) {
        this.faults.push(`Rows ${last + 1} to ${seq - 1} are missing`);
      }
      last = seq;
      const index = packetOf(String(row["body"]));
      const timeUs = (offsets.get(Number(row["epoch"])) ?? NaN) +
        Number(row["monoUs"]);
      const known = this.rows.get(seq);
      if (known !== undefined && known.index !== index) {
        this.faults.push(
          `Row ${seq} held packet ${known.index} and now ${index}`,
        );
      }
      // Its time may be corrected until it has been delivered.
      this.rows.set(seq, {
        seq,
        index,
        timeUs,
        session: known?.session ?? session,
      });
    }
    if (last < newestBefore) {
      this.faults.push(
        `After session ${session} the rows ${
          last + 1
        } to ${newestBefore} are gone`,
      );
    }
  }
}

/** The number of a packet all of whose readings are right. */
function packetOf(body: string): number | undefined {
  const readings = JSON.parse(body) as Record<string, number>;
  const index = indexOf("n1.g", readings["n1.g"] ?? NaN);
  if (index === undefined) return undefined;
  const right = Object.keys(readings).length === PATHS.length &&
    PATHS.every((path) => readings[path] === valueOf(path, index));
  return right ? index : undefined;
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
