/**
 * The journal's folder: which files it holds, and what can be wrong with it.
 *
 * @module
 */

import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Finding } from "../model.ts";
import { listAside } from "./aside.ts";
import { inspect } from "./inspection.ts";
import { lockOwner } from "./lock.ts";
import { readCopy } from "./safety_copy.ts";

/** The journal's file in `folder`. */
export function journalPath(folder: string): string {
  return join(folder, "journal.db");
}

/** Makes the folder, for our own eyes only. @throws {Error} naming it and why it cannot be made */
export async function makeJournalFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Error(
      `Cannot make the journal's folder "${folder}". Make it, or name another one in "journal.folder"`,
      { cause: error },
    );
  }
}

/** Options for {@linkcode checkJournal}. */
export interface JournalCheckOptions {
  /** Bytes that the file may use (`journal.max_megabytes`). */
  readonly maxBytes: number;
}

/** Looks whether a journal can be kept in `folder`; makes nothing but a folder that is missing. */
export async function* checkJournal(
  folder: string,
  { maxBytes }: JournalCheckOptions,
): AsyncIterable<Finding> {
  const subject = "Journal";
  try {
    await makeJournalFolder(folder);
    await tryWriting(folder);
  } catch (error) {
    yield {
      level: "failed",
      subject,
      detail: `"${folder}" cannot be written: ${messageOf(error)}`,
      hint: `give this user the right to write there, or set "journal.folder"`,
    };
    return;
  }
  const owner = await lockOwner(folder);
  yield {
    level: "ok",
    subject,
    detail: `"${folder}" can be written` +
      (owner === null ? "" : `; a gateway runs there (process ${owner})`),
  };
  yield* checkFiles(journalPath(folder), { inUse: owner !== null });
  yield await checkSpace(folder, maxBytes);
}

/** What a start would find, and what lies beside. */
function* checkFiles(
  path: string,
  { inUse }: { inUse: boolean },
): Iterable<Finding> {
  const subject = "Journal";
  try {
    // A gateway that runs has opened it, and is changing it while we look.
    const found = inUse
      ? { kind: "sound" } as const
      : inspect(path, readCopy(path));
    if (found.kind === "damaged") {
      yield {
        level: "warning",
        subject,
        detail: `it is damaged: ${found.fault}`,
        hint:
          "start the gateway: it puts the files aside and begins a new journal with all that can be read of them",
      };
    } else if (found.kind === "newer") {
      yield {
        level: "warning",
        subject,
        detail: `a newer version of this program wrote it (${found.version})`,
        hint:
          "start that version; this one puts the journal aside, begins a new one, and the newer one then takes it over",
      };
    }
  } catch (error) {
    yield {
      level: "failed",
      subject,
      detail: `its file cannot be opened: ${messageOf(error)}`,
      hint: "give this user the right to read and write the files there",
    };
  }
  for (const { path: aside, kind, bytes } of listAside(path)) {
    const megabytes = (bytes / 1e6).toFixed(1);
    yield {
      level: "warning",
      subject,
      detail: kind === "damaged"
        ? `a damaged one was put aside: "${aside}" (${megabytes} MB)`
        : `one of a newer version waits: "${aside}" (${megabytes} MB)`,
      hint: kind === "damaged"
        ? "what could be read of it is in the present one; remove it with its -wal, -shm and -copy when you do not need it"
        : "start the newer version: it sends what waits there",
    };
  }
}

async function checkSpace(folder: string, maxBytes: number): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder);
  const freeMb = Math.floor(bavail * bsize / 1e6);
  const wantedMb = Math.ceil(maxBytes / 1e6);
  const detail = `${freeMb} MB free, the journal may grow to ${wantedMb} MB`;
  if (freeMb >= wantedMb) return { level: "ok", subject: "Disk", detail };
  return {
    level: "warning",
    subject: "Disk",
    detail,
    hint: `make room, or lower "journal.max_megabytes"`,
  };
}

async function tryWriting(folder: string): Promise<void> {
  const file = await Deno.makeTempFile({ dir: folder, prefix: "check-" });
  await Deno.remove(file);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return error.message + cause;
}
