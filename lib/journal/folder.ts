/**
 * The journal's folder: which files it holds, and what can be wrong with it.
 *
 * @module
 */

import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Finding } from "../model.ts";
import { lockOwner } from "./lock.ts";
import { openDatabase } from "./database.ts";

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
  try {
    openDatabase(journalPath(folder), { readOnly: true }).close();
  } catch (error) {
    if (await exists(journalPath(folder))) {
      yield {
        level: "failed",
        subject,
        detail: `its file cannot be opened: ${messageOf(error)}`,
        hint: "move the files of this folder away; a new journal is begun",
      };
    }
  }
  yield await checkSpace(folder, maxBytes);
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

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return error.message + cause;
}
