/**
 * A TOML document that knows the place of each of its keys and values.
 *
 * @module
 */

import {
  type AST,
  getStaticTOMLValue,
  ParseError,
  parseTOML,
} from "toml-eslint-parser";
import { ConfigError } from "./fault.ts";

/** Keys and list indices from the document's top to a value. */
export type Path = readonly PropertyKey[];

/** Where something stands; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Thrown where a text is no TOML; the message quotes nothing of it. */
export class TomlError extends Error {
  readonly place: Place;

  constructor(message: string, place: Place, options?: ErrorOptions) {
    super(message, options);
    this.name = "TomlError";
    this.place = place;
  }
}

/** A string, number, boolean or date of the document. */
export interface Leaf {
  readonly path: Path;
  readonly node: AST.TOMLValue;
}

const TOP: Place = { line: 1, column: 1 };

/** What a fault mostly comes of, for those who see TOML for the first time; by the parser's words. */
const HINTS: ReadonlyMap<string, string> = new Map([
  [
    "Unexpected character",
    'a text stands in double quotes, as in key = "text"',
  ],
  [
    "Must be a newline",
    'one key stands on a line, and a text in double quotes, as in key = "text"',
  ],
  ["Unterminated string constant", "the quote behind the text is missing"],
  [
    "The key, equals sign, and value must be on the same line",
    "or the bracket behind the name of a table is missing, as in [mqtt]",
  ],
  [
    "Invalid character in escape sequence",
    "a backslash is written twice, or the text put in single quotes",
  ],
]);

/** Beyond any honest file, and far below what the stack holds. */
const MAX_DEPTH = 100;

/** Parses `text`, the content of `file`. @throws {ConfigError} at the first thing that is no TOML */
export function parseToml(text: string, file: string): TomlDocument {
  try {
    return new TomlDocument(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = "", ...more] = error.message;
    const message = `Not valid TOML: ${first.toLowerCase()}${more.join("")}`;
    throw new ConfigError([{ file, ...error.place, message }], {
      cause: error,
    });
  }
}

/** A parsed document. */
export class TomlDocument {
  /** Every leaf in the order of the file. A changed `node.value` shows in {@linkcode data}. */
  readonly leaves: readonly Leaf[];
  readonly #program: AST.TOMLProgram;
  readonly #keys = new Map<string, Place>();
  readonly #values = new Map<string, Place>();

  /**
   * Parses `text`, TOML 1.1, with or without a byte order mark.
   *
   * @throws {TomlError} at the first thing that is no TOML
   */
  constructor(text: string) {
    this.#program = parse(text.replace(/^\uFEFF/, ""));
    const leaves: Leaf[] = [];
    for (const part of this.#program.body[0].body) {
      if (part.type === "TOMLTable") {
        this.#note(part.resolvedKey, part);
        for (const pair of part.body) {
          this.#walkPair(part.resolvedKey, pair, leaves);
        }
      } else {
        this.#walkPair([], part, leaves);
      }
    }
    this.leaves = leaves;
  }

  /** The document as plain objects, lists and leaves. */
  get data(): Record<string, unknown> {
    return getStaticTOMLValue(this.#program);
  }

  /** Where the key at `path` stands, or the nearest table around it; else the document's top. */
  placeOfKey(path: Path): Place {
    return nearest(this.#keys, path);
  }

  /** Where the value at `path` stands, or the header of the table that lacks it, or the top. */
  placeOfValue(path: Path): Place {
    return nearest(this.#values, path);
  }

  #walkPair(table: Path, pair: AST.TOMLKeyValue, leaves: Leaf[]): void {
    const keys = pair.key.keys;
    const path = [
      ...table,
      ...keys.map((key) => key.type === "TOMLBare" ? key.name : key.value),
    ];
    // Tables that only the dots in `a.b = 1` make begin where the first such key stands.
    this.#note(path, keys[0]!);
    this.#keys.set(id(path), place(keys.at(-1)!));
    this.#values.set(id(path), place(pair.value));
    this.#walkValue(path, pair.value, leaves);
  }

  #walkValue(path: Path, node: AST.TOMLContentNode, leaves: Leaf[]): void {
    if (path.length > MAX_DEPTH) {
      throw new TomlError("Is nested too deeply", place(node));
    }
    if (node.type === "TOMLValue") {
      leaves.push({ path, node });
    } else if (node.type === "TOMLInlineTable") {
      for (const pair of node.body) this.#walkPair(path, pair, leaves);
    } else {
      node.elements.forEach((element, index) => {
        this.#values.set(id([...path, index]), place(element));
        this.#walkValue([...path, index], element, leaves);
      });
    }
  }

  /** Notes the place of `path` and of each table around it that has none yet. */
  #note(path: Path, node: AST.TOMLNode): void {
    for (let length = 1; length <= path.length; length++) {
      const one = id(path.slice(0, length));
      if (!this.#keys.has(one)) this.#keys.set(one, place(node));
      if (!this.#values.has(one)) this.#values.set(one, place(node));
    }
  }
}

function parse(text: string): AST.TOMLProgram {
  try {
    return parseTOML(text, { tomlVersion: "1.1" });
  } catch (error) {
    if (error instanceof ParseError) {
      const where = { line: error.lineNumber, column: error.column + 1 };
      const hint = HINTS.get(error.message);
      const message = hint === undefined
        ? error.message
        : `${error.message}: ${hint}`;
      throw new TomlError(message, where, { cause: error });
    }
    // The parser calls itself for each bracket, so thousands of them end in a RangeError.
    throw new TomlError("Is nested too deeply", TOP, { cause: error });
  }
}

function place(node: AST.TOMLNode): Place {
  return { line: node.loc.start.line, column: node.loc.start.column + 1 };
}

function nearest(places: ReadonlyMap<string, Place>, path: Path): Place {
  for (let length = path.length; length > 0; length--) {
    const found = places.get(id(path.slice(0, length)));
    if (found !== undefined) return found;
  }
  return TOP;
}

/** A path as a key of a map: no key that a file may choose collides with another. */
function id(path: Path): string {
  return JSON.stringify(path);
}
