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
  /** Whether the file is to be filled to its limit (`journal.reserve`). */
  readonly reserve: boolean;
}

/** Looks whether a journal can be kept in `folder`; makes nothing but a folder that is missing. */
export async function* checkJournal(
  folder: string,
  options: JournalCheckOptions,
): AsyncIterable<Finding> {
  const subject = "Journal";
  try {
    await makeJournalFolder(folder);
    await tryWriting(folder);
  } catch (error) {
    yield {
      level: "failed",
      subject,
      detail:
        `"${folder}" cannot be written, so packets are only kept in memory: ${
          messageOf(error)
        }`,
      ...adviceFor(messageOf(error), folder),
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
  yield await checkSpace(folder, options);
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

async function checkSpace(
  folder: string,
  { maxBytes, reserve }: JournalCheckOptions,
): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder);
  const taken = await taking(journalPath(folder)) +
    await taking(`${journalPath(folder)}-wal`);
  const freeMb = Math.floor(bavail * bsize / 1e6);
  const missingMb = Math.ceil(Math.max(0, maxBytes - taken) / 1e6);
  const detail = missingMb === 0
    ? `the journal has all the space it may use`
    : `${freeMb} MB free, the journal may take ${missingMb} MB more`;
  if (freeMb >= missingMb) return { level: "ok", subject: "Disk", detail };
  const fits = Math.floor((taken / 1e6 + freeMb) * SHARE);
  return {
    level: "warning",
    subject: "Disk",
    detail: reserve
      ? `${detail}: too little to take it beforehand ("journal.reserve")`
      : detail,
    hint: fits < LEAST_MB
      ? "make room: the first line shows what is on that disk, the second one what is large"
      : 'make room, or lower "journal.max_megabytes": the third line, under [journal] in config.toml, leaves others some room',
    fix: [
      ...roomLines(folder),
      ...(fits < LEAST_MB ? [] : [`max_megabytes = ${fits}`]),
    ],
  };
}

/** Bytes of disk that a file takes. */
async function taking(path: string): Promise<number> {
  return await Deno.stat(path)
    .then(({ size, blocks }) => blocks === null ? size : blocks * 512, () => 0);
}

/** Writes as much as a commit does: a used-up quota refuses that, not an empty file. */
async function tryWriting(folder: string): Promise<void> {
  const file = await Deno.makeTempFile({ dir: folder, prefix: "check-" });
  try {
    await Deno.writeFile(file, new Uint8Array(65_536));
  } finally {
    await Deno.remove(file);
  }
}

/** The least that `journal.max_megabytes` may be. */
const LEAST_MB = 8;
/** Of the room that there is, what the journal is offered. */
const SHARE = 0.8;

/** Commands that show what takes the room on a folder's disk. */
function roomLines(folder: string): string[] {
  const quoted = `'${folder.replaceAll("'", `'\\''`)}'`;
  return [
    `df -h ${quoted}`,
    `sudo du -xh "$(df --output=target ${quoted} | tail -n 1)" | sort -h | tail`,
  ];
}

/** What to do about a folder that cannot be written; the numbers are the system's (errno.h). */
function adviceFor(
  message: string,
  folder: string,
): { readonly hint: string; readonly fix?: readonly string[] } {
  if (/os error 28\b/.test(message)) {
    return {
      hint:
        "the disk is full: make room on it; the first line shows how full, the second one what is large, the third one makes room where old logs are",
      fix: [...roomLines(folder), "sudo journalctl --vacuum-size=100M"],
    };
  }
  if (/os error 13\b/.test(message)) {
    return {
      hint:
        'give this user the folder, or name one of its own in "journal.folder"',
      fix: [`sudo chown -R "$(id -un)" '${folder.replaceAll("'", `'\\''`)}'`],
    };
  }
  return { hint: hintFor(message) };
}

function hintFor(message: string): string {
  if (/os error 30\b/.test(message)) {
    return "the disk is mounted read-only: mount it to be written; one that became so by itself is failing (see dmesg): replace it";
  }
  if (/os error 122\b/.test(message)) {
    return "this user's quota is used up: raise it, or make room";
  }
  if (/os error 5\b/.test(message)) {
    return "the disk is failing (see dmesg): replace it";
  }
  return `give this user the right to write there, or set "journal.folder"`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return error.message + cause;
}
