/**
 * Makes a journal's files such that they can be opened, whatever they hold.
 *
 * - Damaged files are put aside, and a new journal is made of what can be salvaged from them.
 * - Those of a newer version are put aside whole; a program that knows their tables takes over what
 *   waits in them.
 * - The end of a log that SQLite does not see is brought back.
 *
 * A disk that fails is another matter: that is thrown.
 *
 * @module
 */

import { basename } from "node:path";
import { adopt, forgetAdopted } from "./adoption.ts";
import {
  finishReplacements,
  listAside,
  putNewerAside,
  removeJournal,
  Replacement,
  sizeOf,
  trimDamaged,
} from "./aside.ts";
import {
  isDamage,
  migrate,
  openDatabase,
  readVersion,
  transact,
} from "./database.ts";
import { type Commit, EMPTY_COMMIT } from "./disk.ts";
import { inspect } from "./inspection.ts";
import { PageImages } from "./page_images.ts";
import { reconcile, type Reconciliation } from "./reconcile.ts";
import type { Recovery } from "./recovery.ts";
import { readCopy, type SafetyCopy } from "./safety_copy.ts";
import { findStrays, salvage } from "./salvage.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { Tables } from "./tables.ts";

/** Options for {@linkcode Opening}. */
export interface OpeningOptions {
  /** Milliseconds since 1970. */
  now(): number;
}

/** Makes a journal's files such that they can be opened. */
export class Opening {
  readonly #options: OpeningOptions;

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  /** Looks at the journal at `path`, and does what has to be done; gives what that was. */
  prepare(path: string, known?: SafetyCopy): Recovery[] {
    finishReplacements(path);
    const recoveries: Recovery[] = [];
    const copy = readCopy(path);
    const found = inspect(path, copy);
    if (found.kind === "damaged") {
      recoveries.push(this.rebuild(path, found.fault, known ?? copy));
    } else if (found.kind === "newer") {
      recoveries.push({
        kind: "newer",
        fault:
          `its tables are of version ${found.version}, this program knows up to ${SCHEMA_VERSION}`,
        path: putNewerAside(path, this.#options.now()),
        ...{ packets: 0, missing: {}, removed: [] },
      });
    } else if (found.kind === "sound") {
      recoveries.push(...this.#rescue(path, found.end, copy));
    }
    return [...recoveries, ...this.#adopt(path)];
  }

  /** Puts the journal at `path` aside, and makes a new one of what it holds. */
  rebuild(
    path: string,
    fault: string,
    copy: SafetyCopy | undefined,
  ): Recovery {
    const replacement = new Replacement(path, this.#options.now());
    try {
      const { packets, missing } = this.#salvage(path, replacement, copy);
      const aside = replacement.finish();
      const removed = trimDamaged(path);
      return { kind: "damaged", fault, path: aside, packets, missing, removed };
    } catch (error) {
      finishReplacements(path);
      throw error;
    }
  }

  #salvage(
    path: string,
    { buildPath }: Replacement,
    copy: SafetyCopy | undefined,
  ): Pick<Recovery, "packets" | "missing"> {
    using images = new PageImages(path);
    using fresh = new Tables(openDatabase(buildPath));
    fresh.load();
    // Until it is whole it counts for nothing, and then it is synced once.
    fresh.db.exec("PRAGMA synchronous=OFF");
    salvage(images, fresh.db);
    const { missing } = this.#reconcile(fresh, copy);
    const { packets } = {
      ...fresh.db.prepare(
        "SELECT count(*) AS packets FROM packets WHERE body <> '{}'",
      ).get(),
    };
    return { packets: Number(packets), missing };
  }

  /** Brings back what the log's end still holds, and what the safety copy knows to be missing. */
  #rescue(
    path: string,
    end: { seq: number; total: number },
    copy: SafetyCopy | undefined,
  ): Recovery[] {
    if (sizeOf(`${path}-wal`) === 0 && (copy?.end.seq ?? 0) <= end.seq) {
      return [];
    }
    // Before SQLite opens the files, and removes what it does not read.
    using images = new PageImages(path);
    const { packets, epochs } = findStrays(images, end.seq);
    if (packets.length === 0 && (copy?.end.seq ?? 0) <= end.seq) return [];
    using journal = new Tables(openDatabase(path));
    journal.load();
    // Numbers without a gap are those of the commits that were under way.
    const whole = packets.every(({ seq }, i) => seq === end.seq + 1 + i);
    const { missing } = this.#reconcile(journal, copy, {
      whole: whole && packets.length > 0,
      more: { ...EMPTY_COMMIT, rows: packets, epochs },
    });
    return [{
      kind: "rescued",
      fault: packets.length > 0
        ? "its log breaks off"
        : "its newest packets are gone",
      path,
      packets: packets.length,
      missing,
      removed: [],
    }];
  }

  #reconcile(
    journal: Tables,
    copy: SafetyCopy | undefined,
    { whole = false, more = EMPTY_COMMIT }: { whole?: boolean; more?: Commit } =
      {},
  ): Reconciliation {
    const { db } = journal;
    return transact(db, () => {
      journal.write(more);
      const nowUs = this.#options.now() * 1000;
      const reconciliation = reconcile(db, copy, { whole, nowUs });
      journal.restore(reconciliation);
      journal.write(reconciliation.commit);
      return reconciliation;
    });
  }

  /** Takes over what was put aside and can be read by now. */
  #adopt(path: string): Recovery[] {
    const newer = listAside(path).filter(({ kind }) => kind === "newer");
    if (newer.length === 0) return [];
    using journal = new Tables(openDatabase(path));
    journal.load();
    forgetAdopted(journal, newer.map((one) => basename(one.path)));
    return newer.flatMap((one) => this.#adoptFile(one.path, journal));
  }

  #adoptFile(path: string, journal: Tables): Recovery[] {
    try {
      const adoption = this.#tryAdopting(path, journal);
      if (adoption === null) return [];
      removeJournal(path);
      return [{ kind: "adopted", fault: "", path, removed: [], ...adoption }];
    } catch (error) {
      if (!isDamage(error)) throw error;
      const fault = error instanceof Error ? error.message : String(error);
      const recovery = this.rebuild(path, fault, readCopy(path));
      return [recovery, ...this.#adoptFile(path, journal)];
    }
  }

  #tryAdopting(path: string, journal: Tables) {
    using aside = openDatabase(path);
    if (readVersion(aside) > SCHEMA_VERSION) return null;
    migrate(aside);
    return adopt(aside, basename(path), journal);
  }
}
