/**
 * Where a value stands in a packet, as text: `n1.t`, `motor.phase[1].current`, `["motor.speed"].max`.
 *
 * Keys have dots between them, an index of an array stands in brackets. A key that holds anything else
 * than letters, digits and what cannot be taken for a separator is written in brackets and quotes, as
 * JSON has it. Each place has one such text, so texts can be compared.
 *
 * @module
 */

/** A key of an object, or an index of an array. */
export type PathPart = string | number;

/** The longest path that the configuration takes, in characters. */
export const MAX_PATH_LENGTH = 200;

/** A key that stands as it is. */
const PLAIN = /^[^.[\]"\\\s\p{C}]+$/u;
const PART =
  /(?<key>[^.[\]"\\\s\p{C}]+)|\[(?<index>0|[1-9]\d{0,8})\]|\[(?<quoted>"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")\]/uy;

/** The path of the value to which `parts` lead. */
export function formatPath(parts: readonly PathPart[]): string {
  let path = "";
  for (const part of parts) {
    if (typeof part === "number") path += `[${part}]`;
    else if (!PLAIN.test(part)) path += `[${quote(part)}]`;
    else path += path === "" ? part : `.${part}`;
  }
  return path;
}

/** The keys and indexes of a path, at least one; undefined where it is none. */
export function parsePath(path: string): PathPart[] | undefined {
  const parts: PathPart[] = [];
  for (let at = 0; at < path.length;) {
    const dot = path[at] === ".";
    PART.lastIndex = dot ? at + 1 : at;
    const found = PART.exec(path)?.groups;
    if (found === undefined) return undefined;
    const { key, index, quoted } = found;
    // A dot stands between a key and what is before it, and nowhere else.
    if ((key !== undefined && at > 0) !== dot) return undefined;
    parts.push(
      key ?? (index === undefined ? JSON.parse(quoted!) : Number(index)),
    );
    at = PART.lastIndex;
  }
  return parts.length === 0 ? undefined : parts;
}

/** As JSON has it, with all escaped that cannot be seen. */
function quote(key: string): string {
  return JSON.stringify(key).replace(
    /\p{C}|[\p{Zl}\p{Zp}]/gu,
    (one) =>
      one.split("").map((unit) =>
        `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
      ).join(""),
  );
}
