/**
 * What a program wrote to its files, recorded by strace, and the disks that a power cut may have left:
 * of the writes that were not synced each is there, or is not, or is there in some of its sectors.
 *
 * Names (new files, renames, removals) are taken as lasting at once.
 *
 * @module
 */

import { join } from "node:path";

/** Bytes that a disk writes whole or not at all. */
const SECTOR = 512;

/** Something that the program did, in order. */
export type Step =
  | { kind: "write"; path: string; offset: number; bytes: Uint8Array }
  | { kind: "truncate"; path: string; size: number }
  | { kind: "sync"; path: string }
  | { kind: "rename"; path: string; to: string }
  | { kind: "remove"; path: string }
  | { kind: "say"; line: string };

/** Runs `command` and records what it does to files in `folder` and what it says. */
export async function record(
  folder: string,
  command: readonly string[],
): Promise<Step[]> {
  const trace = await Deno.makeTempFile({ prefix: "trace-" });
  try {
    const calls =
      "trace=pwrite64,write,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2,openat,lseek";
    const { success, stderr } = await new Deno.Command("strace", {
      args: [
        ...["-f", "-y", "-xx", "-s", "200000", "-e", calls, "-o", trace],
        ...command,
      ],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return parse(await Deno.readTextFile(trace), folder);
  } finally {
    await Deno.remove(trace);
  }
}

function parse(trace: string, folder: string): Step[] {
  const steps: Step[] = [];
  const unfinished = new Map<string, string>();
  /** Where plain writes go on, by path: those of a file that was opened anew begin at 0. */
  const places = new Map<string, number>();
  for (const line of trace.split("\n")) {
    const match = /^(\d+) +(.*)$/s.exec(line);
    if (match === null) continue;
    const pid = match[1]!;
    let call = match[2]!;
    if (call.endsWith("<unfinished ...>")) {
      unfinished.set(pid, call.slice(0, -"<unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(call);
    if (resumed !== null) call = (unfinished.get(pid) ?? "") + resumed[1];
    steps.push(...parseCall(call, folder, places));
  }
  return steps;
}

function parseCall(
  call: string,
  folder: string,
  places: Map<string, number>,
): Step[] {
  const name = /^\w+/.exec(call)?.[0];
  const result = Number(/= (-?\d+)(?:<.*>)?(?: .*)?$/.exec(call)?.[1]);
  if (!(result >= 0)) return [];
  const fd = /^\w+\((\d+)<([^>]*)>/.exec(call);
  const path = unhex(fd?.[2] ?? "").replace(/ \(deleted\)$/, "");
  const texts = [...call.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)]
    .map((match) => match[1]!);
  const ours = path.startsWith(folder);
  const numbers = [...call.replace(/"[^"]*"/g, '""').matchAll(/, (\d+)/g)]
    .map((match) => Number(match[1]));
  switch (name) {
    case "openat": {
      const opened = unhex(texts[0] ?? "");
      if (!opened.startsWith(folder)) return [];
      places.set(opened, 0);
      return call.includes("O_TRUNC")
        ? [{ kind: "truncate", path: opened, size: 0 }]
        : [];
    }
    case "lseek":
      if (ours) places.set(path, result);
      return [];
    case "pwrite64":
      return ours
        ? [{
          kind: "write",
          path,
          offset: numbers.at(-1)!,
          bytes: bytesOf(texts[0]!),
        }]
        : [];
    case "write": {
      const bytes = bytesOf(texts[0] ?? "");
      if (fd?.[1] === "1") {
        const said = new TextDecoder().decode(bytes).trim();
        return said.split("\n").map((line) => ({ kind: "say", line }));
      }
      if (!ours) return [];
      const offset = places.get(path) ?? 0;
      places.set(path, offset + bytes.length);
      return [{ kind: "write", path, offset, bytes }];
    }
    case "ftruncate":
      return ours ? [{ kind: "truncate", path, size: numbers[0]! }] : [];
    case "fsync":
    case "fdatasync":
      return ours ? [{ kind: "sync", path }] : [];
    case "unlink":
    case "unlinkat":
      return removed(unhex(texts[0] ?? ""), folder);
    default: {
      const [from = "", to = ""] = texts.map(unhex);
      return from.startsWith(folder)
        ? [{ kind: "rename", path: from, to }]
        : [];
    }
  }
}

function removed(path: string, folder: string): Step[] {
  return path.startsWith(folder) ? [{ kind: "remove", path }] : [];
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(
    hex.split("\\x").slice(1),
    (byte) => Number.parseInt(byte, 16),
  );
}

function unhex(text: string): string {
  return text.includes("\\x") ? new TextDecoder().decode(bytesOf(text)) : text;
}

/** A file as the disk has it, and what the system still holds back. */
interface DiskFile {
  bytes: Uint8Array;
  pending: Extract<Step, { kind: "write" | "truncate" }>[];
}

/** A disk that is written to, and may lose its power at any moment. */
export class RecordedDisk {
  readonly #files = new Map<string, DiskFile>();

  /** The program does one thing more. */
  apply(step: Step): void {
    if (step.kind === "say") return;
    const file = this.#files.get(step.path);
    switch (step.kind) {
      case "write":
      case "truncate":
        if (file !== undefined) file.pending.push(step);
        else {
          const bytes = new Uint8Array();
          this.#files.set(step.path, { bytes, pending: [step] });
        }
        break;
      case "sync":
        if (file === undefined) break;
        for (const one of file.pending.splice(0)) carryOut(file, one);
        break;
      case "rename":
        this.#files.delete(step.path);
        if (file !== undefined) this.#files.set(step.to, file);
        break;
      case "remove":
        this.#files.delete(step.path);
        break;
    }
  }

  /**
   * Writes into `folder` what is left after a power cut now.
   *
   * @param random gives the next number from 0 to 1, to choose by
   */
  async cut(folder: string, random: () => number): Promise<void> {
    // How much the system had written out by itself: nothing, everything, or some of it.
    const mood = random();
    for (const [path, { bytes, pending }] of this.#files) {
      if (path.endsWith("-shm")) continue;
      const left: DiskFile = { bytes: bytes.slice(), pending: [] };
      for (const step of pending) {
        const luck = mood < 0.2 ? 0 : mood < 0.3 ? 1 : random();
        if (luck > 0.6) carryOut(left, step);
        else if (luck > 0.3 && step.kind === "write") {
          for (let at = 0; at < step.bytes.length; at += SECTOR) {
            if (random() < 0.5) continue;
            const part = step.bytes.subarray(at, at + SECTOR);
            carryOut(left, { ...step, offset: step.offset + at, bytes: part });
          }
        }
      }
      const name = path.slice(path.lastIndexOf("/") + 1);
      await Deno.writeFile(join(folder, name), left.bytes);
    }
  }
}

function carryOut(
  file: DiskFile,
  step: Extract<Step, { kind: "write" | "truncate" }>,
): void {
  const size = step.kind === "truncate"
    ? step.size
    : Math.max(file.bytes.length, step.offset + step.bytes.length);
  if (size !== file.bytes.length) {
    const bytes = new Uint8Array(size);
    bytes.set(file.bytes.subarray(0, size));
    file.bytes = bytes;
  }
  if (step.kind === "write") file.bytes.set(step.bytes, step.offset);
}
