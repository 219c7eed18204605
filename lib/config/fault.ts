/**
 * What is wrong with a configuration, and where.
 *
 * @module
 */

import type { Path, Place, TomlDocument } from "./toml.ts";

/** One thing that is wrong, and its place. */
export interface Fault extends Place {
  /** The file as it was named to the loader. */
  readonly file: string;
  /** The key, what is wanted and the value now, without secrets. */
  readonly message: string;
}

/** Thrown for a configuration that cannot be used; `message` lists every fault, a line each. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[], options?: ErrorOptions) {
    super(faults.map(formatFault).join("\n"), options);
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/** A fault whose place has not been looked up yet. */
export interface Complaint {
  readonly path: Path;
  readonly message: string;
  /** What the place points to. @default {"value"} */
  readonly at?: "key" | "value";
}

/** The complaints with their places in `document`, in the order of the file. */
export function locate(
  complaints: readonly Complaint[],
  file: string,
  document: TomlDocument,
): Fault[] {
  return complaints.map(({ path, message, at }) => {
    const place = at === "key"
      ? document.placeOfKey(path)
      : document.placeOfValue(path);
    return { file, ...place, message: oneLine(message) };
  }).sort((a, b) => a.line - b.line || a.column - b.column);
}

/** A fault is one line, whatever it quotes. */
function oneLine(message: string): string {
  return message.replace(
    /\p{Cc}/gu,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function formatFault({ file, line, column, message }: Fault): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** Why a file could not be read, to follow its name in a sentence. */
export function describeFileError(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "does not exist";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "may not be read by this user";
  }
  if (error instanceof Deno.errors.IsADirectory) return "is a folder";
  return `cannot be read: ${
    error instanceof Error ? error.message : String(error)
  }`;
}
