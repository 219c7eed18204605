/**
 * The file in which it is remembered what the boards' flash holds: `flash.json` in the journal's folder.
 *
 * It is replaced whole: a new one is written, synced and renamed. One that is damaged is as none.
 *
 * @module
 */

import { dirname, join } from "node:path";
import * as z from "zod/mini";

const FIRMWARE = z.looseObject({
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  chip: z.string(),
  probe_id: z.nullable(z.string()),
});
const RECORD = z.looseObject({
  /** Null: not known. */
  programmed: z.nullable(FIRMWARE),
  /** A `run` began, and what became of it is not known: it may have programmed. */
  begun: z.boolean(),
  /** `run`s that may have programmed, this one among them. */
  cycles: z.int().check(z.gte(0)),
  /** So many of them that most likely wrote nothing. */
  likely_none: z.int().check(z.gte(0)),
});
/** Loose, so that what a newer version adds survives one that does not know it. */
const CONTENT = z.looseObject({
  version: z.literal(1),
  /** By the board's name. */
  boards: z.record(z.string(), RECORD),
});

/** All that the file holds. */
export type FlashContent = z.output<typeof CONTENT>;
/** What is remembered of one board. */
export type FlashRecord = z.output<typeof RECORD>;

/** What was found where the file should be. */
export type FoundFlash =
  | {
    readonly kind: "content";
    readonly content: FlashContent;
    readonly text: string;
  }
  | { readonly kind: "nothing" }
  /** It holds nothing that can be used; why is fit for "the file …". */
  | { readonly kind: "useless"; readonly why: string }
  /** The disk does not give it now. */
  | { readonly kind: "unreadable"; readonly why: string };

/** The file in `folder`, the journal's. */
export function flashPath(folder: string): string {
  return join(folder, "flash.json");
}

/** Reads the file. Does not reject. */
export async function readFlashFile(path: string): Promise<FoundFlash> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "nothing" };
    const why = error instanceof Error ? error.message : error;
    return { kind: "unreadable", why: `cannot be read: ${why}` };
  }
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return { kind: "useless", why: "is damaged" };
  }
  const { data: content } = CONTENT.safeParse(data);
  if (content !== undefined) return { kind: "content", content, text };
  const isNewer = typeof data === "object" && data !== null &&
    "version" in data && Number(data.version) > 1;
  const why = isNewer
    ? "was written by a newer version of this program"
    : "is damaged";
  return { kind: "useless", why };
}

/** Puts `text` into the file at `path`, whole or not at all. @throws {Error} if the disk refuses */
export async function writeFlashFile(
  path: string,
  text: string,
): Promise<void> {
  const folder = dirname(path);
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const fresh = `${path}.tmp`;
  {
    using file = await Deno.open(fresh, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await file.write(bytes.subarray(at));
    }
    await file.sync();
  }
  await Deno.rename(fresh, path);
  if (Deno.build.os === "windows") return;
  using directory = await Deno.open(folder);
  await directory.sync();
}
