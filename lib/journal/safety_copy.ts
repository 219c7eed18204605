/**
 * A second, small copy of what would hurt most to lose, in a file of its own beside the journal:
 * cursors, ledgers, boards, clock epochs and where the journal ended. It is written rarely, whole or
 * not at all; an old one costs repeats, never rows.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { sizeOf } from "./aside.ts";
import type { BoardState, Epoch, SinkState } from "./disk.ts";
import type { Seal } from "./seal.ts";

/** What the copy holds. */
export interface SafetyCopy extends Omit<Seal, "digest"> {
  /** Written as the journal was closed: nothing came after it. */
  readonly closed: boolean;
  readonly boards: readonly BoardState[];
  readonly sinks: readonly SinkState[];
  readonly epochs: readonly Epoch[];
}

/** Writes the copy of the journal at `path`. @throws {Error} if the disk refuses */
export function writeCopy(path: string, content: SafetyCopy): void {
  const copy = `${path}-copy`;
  const body = JSON.stringify(content);
  {
    using file = Deno.openSync(`${copy}.tmp`, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    const bytes = new TextEncoder().encode(`${crc32(body)}\n${body}\n`);
    for (let at = 0; at < bytes.length;) {
      at += file.writeSync(bytes.subarray(at));
    }
    file.syncSync();
  }
  // Without a sync of the folder: until the system writes the new name out, the copy before stands.
  Deno.renameSync(`${copy}.tmp`, copy);
}

/** Reads the copy of the journal at `path`; undefined if there is none that is whole. */
export function readCopy(path: string): SafetyCopy | undefined {
  try {
    const [crc, body = ""] = Deno.readTextFileSync(`${path}-copy`).split("\n");
    if (crc32(body) !== Number(crc)) return undefined;
    const content: SafetyCopy = JSON.parse(body);
    // Whoever closes the journal removes its log: with one, somebody has opened it since.
    const closed = content.closed && sizeOf(`${path}-wal`) === 0;
    return { ...content, closed };
  } catch {
    // It is a help; what is there without it is salvaged all the same.
    return undefined;
  }
}
