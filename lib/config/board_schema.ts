/**
 * The schema of the boards: what `[gateway]` says for all of them, and the `[[board]]` tables, each a
 * board of its own.
 *
 * - A `[[board]]` takes what it does not say itself from `[gateway]`: all but `probe_id` and `command`,
 *   which say whose lines are read, what belongs to that command (`restart`, `env`, `cwd`), and `record`,
 *   which is one board's file.
 * - `[gateway]` is a board as well, without a name, where no `[[board]]` is there or it has one of
 *   these two.
 * - Topics and series of two boards always differ. A board's name is one level before node and name,
 *   and a tag of its own; only one called "history" would write where the past of the board without a
 *   name goes.
 *
 * @module
 */

import { normalize } from "node:path";
import * as z from "zod/mini";
import type { Path } from "./toml.ts";
import { controlFree, matching, plainText, whole } from "./values.ts";

/** What becomes of a command that has ended by itself. */
export const RESTART_RULES = ["always", "on-failure", "never"] as const;

const environment = z.record(
  matching(
    /^[A-Za-z_][A-Za-z0-9_]*$/,
    "must be the name of an environment variable: A-Z a-z 0-9 _, the first no digit",
  ),
  matching(/^[^\0]*$/, "must not contain a zero byte"),
);

/** What a board can be told, with what it is unless it is told. */
const BOARD = {
  probe_id: z.optional(matching(
    // As probe-rs takes it: the interface is one decimal byte, and the serial number may hold colons.
    /^[0-9a-f]{1,4}:[0-9a-f]{1,4}(-(25[0-5]|2[0-4]\d|[01]?\d?\d)?)?(:\P{Cc}*)?$/iu,
    "must be VID:PID, VID:PID:SERIAL or VID:PID-INTERFACE:SERIAL as `probe-rs list` shows it",
  )),
  chip: z.optional(plainText),
  firmware_path: z.optional(plainText),
  flash: z._default(
    z.enum(["when-changed", "always", "never"]),
    "when-changed",
  ),
  reflash_on_change: z._default(z.boolean(), false),
  command: z.optional(z.array(plainText).check(z.minLength(1))),
  restart: z.optional(z.enum(RESTART_RULES)),
  env: z.optional(environment),
  cwd: z.optional(plainText),
  channel_capacity: z._default(whole(1, 1_000_000), 1_000),
  marker: z._default(
    controlFree.check(z.maxLength(200)),
    "JSON sent via VCP: ",
  ),
  unknown_fields: z._default(z.enum(["hint", "publish", "ignore"]), "hint"),
  max_line_bytes: z._default(whole(256, 1_048_576), 8192),
  silence_timeout_s: z.optional(whole(0, 86400)),
  record: z.optional(plainText),
  record_max_megabytes: z._default(whole(1, 10_000), 10),
};

/** The table `[gateway]`: what the gateway is told, and what all boards are. */
export const gatewayTable = z.strictObject({
  ...BOARD,
  stop_timeout_s: z._default(whole(1, 60), 5),
});

const boardTable = z.strictObject({
  name: z.string().check(
    z.regex(
      /^[A-Za-z0-9_][A-Za-z0-9_-]{0,31}$/,
      'must be 1 to 32 of the characters A-Z a-z 0-9 _ -, the first no "-"',
    ),
    z.regex(
      /^(?!history$)/,
      'must not be "history", the name of the topics of the past',
    ),
  ),
  ...withoutDefaults(BOARD),
});

/** Each board is a child of its own, and all share one USB, one disk and one processor. */
const MAX_BOARDS = 20;

/** The list of all `[[board]]` tables. */
export const boardList = z._default(
  z.array(boardTable, "must be written [[board]]").check(
    z.maxLength(MAX_BOARDS, `must be there at most ${MAX_BOARDS} times`),
  ),
  [],
);

/** The keys that a `[[board]]` table may have. */
export const BOARD_KEYS: readonly string[] = Object.keys(boardTable.shape);

/** A board with all its keys; its name is empty in the single `[gateway]` form. */
export type BoardConfig =
  & { readonly name: string }
  & Readonly<z.output<z.ZodMiniObject<typeof BOARD>>>;

/** The boards of a configuration without faults, at least one. */
export function boardsOf(
  gateway: z.output<typeof gatewayTable>,
  own: z.output<typeof boardList>,
): BoardConfig[] {
  const { stop_timeout_s: _, ...shared } = gateway;
  const { probe_id: __, command: ___, record: ____, ...inherited } = shared;
  const { restart: _____, env: ______, cwd: _______, ...forAll } = inherited;
  // What a table leaves out is not there at all, so it hides nothing of `forAll`.
  const named = own.map((one) => ({ ...forAll, ...one }) as BoardConfig);
  return isBoard(gateway, own) ? [{ name: "", ...shared }, ...named] : named;
}

/** The probes of the other boards, by their `probe_id`. */
export function probesBeside(
  board: BoardConfig,
  boards: readonly BoardConfig[],
): string[] {
  return boards.flatMap(({ name, probe_id }) =>
    name === board.name || probe_id === undefined ? [] : [probe_id]
  );
}

/** Without it probe-rs takes the only probe that is there, which can be one board's alone. */
const PROBE_HINT = "find it with `probe-rs list`, or run with --simulate";
const REQUIRED = {
  chip:
    "name the board's chip as `probe-rs chip list` does, or run with --simulate",
  firmware_path: "name the firmware's ELF file, or run with --simulate",
} as const;

/** Keys that say how `command` is run; the environment and the folder of one program are not another's. */
const OF_COMMAND = ["restart", "env", "cwd"];

/** A table as it stands in a file that may have faults. */
type Table = Readonly<Record<string, unknown>>;

/** A board as the file has it. */
interface Entry {
  readonly path: Path;
  /** How the file's faults name its table: `board[0]`. */
  readonly label: string;
  readonly table: Table;
}

/**
 * What boards miss, and what two of them have in common that they must not; `data` is a whole document,
 * whatever else may be wrong with it.
 */
export function faultsOfBoards(
  { gateway, board }: Table,
  { simulate = false }: { readonly simulate?: boolean },
): z.core.$ZodIssue[] {
  const shared = isTable(gateway) ? gateway : {};
  const named = Array.isArray(board) ? board : [];
  const entries: Entry[] = [
    ...(isBoard(shared, named)
      ? [{ path: ["gateway"], label: "gateway", table: shared }]
      : []),
    ...named.map((table, index) => ({
      path: ["board", index],
      label: `board[${index}]`,
      table,
    })),
  ].filter(({ table }) => isTable(table));
  const isAlone =
    entries.filter(({ table }) => table.command === undefined).length === 1;
  const ofNobody = shared.record !== undefined && !isBoard(shared, named)
    ? [issue(
      ["gateway", "record"],
      "is one board's file, and [gateway] is no board here: write it into a table [[board]]",
    )]
    : [];
  const forNone = isBoard(shared, named) ? [] : withoutCommand(
    ["gateway"],
    shared,
    "write it into the [[board]] that has the command",
  );
  return [
    ...ofNobody,
    ...forNone,
    ...entries.flatMap((entry, index) => [
      ...withoutCommand(entry.path, entry.table, 'remove it, or set "command"'),
      ...(simulate ? [] : missing(entry, shared, isAlone)),
      ...entries.slice(0, index).flatMap((other) => shares(entry, other)),
    ]),
  ];
}

/** Keys of a command where there is none. */
function withoutCommand(
  path: Path,
  table: Table,
  todo: string,
): z.core.$ZodIssue[] {
  if (table.command !== undefined) return [];
  return OF_COMMAND.filter((key) => table[key] !== undefined).map((key) =>
    issue([...path, key], `belongs to "command", which is not there: ${todo}`)
  );
}

function missing(
  { path, table }: Entry,
  shared: Table,
  isAlone: boolean,
): z.core.$ZodIssue[] {
  if (table.command !== undefined) return [];
  const complain = (key: string, hint: string) =>
    issue([...path, key], `is missing: ${hint}`);
  const issues = Object.entries(REQUIRED)
    .filter(([key]) => table[key] === undefined && shared[key] === undefined)
    .map(([key, hint]) => complain(key, hint));
  return isAlone || table.probe_id !== undefined
    ? issues
    : [complain("probe_id", PROBE_HINT), ...issues];
}

/** What a board has that one before it has already. */
function shares(
  { path, table }: Entry,
  { label, table: other }: Entry,
): z.core.$ZodIssue[] {
  const issues: z.core.$ZodIssue[] = [];
  const complain = (key: string, says: (where: string) => string) => {
    const hint = label === "gateway"
      ? " (remove that one if [gateway] is to be no board itself)"
      : "";
    issues.push(issue([...path, key], says(`"${label}.${key}"`) + hint));
  };
  const { name, probe_id: probe, command, record } = table;
  const { name: otherName, probe_id: otherProbe } = other;
  // A difference of capitals alone would be lost in the names of files.
  if (
    isText(name) && isText(otherName) &&
    name.toLowerCase() === otherName.toLowerCase()
  ) {
    complain("name", (where) => `must be another one than ${where}`);
  }
  if (isText(probe) && isText(otherProbe) && mayBeOneProbe(probe, otherProbe)) {
    complain(
      "probe_id",
      (where) => `must not fit the probe of ${where} ("${otherProbe}") as well`,
    );
  }
  // The same program may read another device where it is told so by its environment or its folder.
  if (
    isSameList(command, other.command) && table.cwd === other.cwd &&
    JSON.stringify(table.env) === JSON.stringify(other.env)
  ) {
    complain("command", (where) => `must not be that of ${where} again`);
  }
  if (isText(record) && isText(other.record)) {
    const files = filesOf(record);
    if (filesOf(other.record).some((file) => files.includes(file))) {
      complain("record", (where) => `must be another file than ${where}`);
    }
  }
  return issues;
}

/** Where a recording lies. */
function filesOf(record: string): string[] {
  const path = normalize(record);
  return [path, `${path}.1`];
}

function issue(path: Path, message: string): z.core.$ZodIssue {
  return { code: "custom", path: [...path], message };
}

/** Whether `[gateway]` is a board beside those that have a table of their own. */
function isBoard(gateway: Table, own: readonly unknown[]): boolean {
  return own.length === 0 || gateway.probe_id !== undefined ||
    gateway.command !== undefined;
}

/**
 * Whether one probe can be meant by both, `VID:PID[-INTERFACE][:SERIAL]`; what one leaves out fits
 * everything.
 */
export function mayBeOneProbe(one: string, other: string): boolean {
  const [a, b] = [takeApart(one), takeApart(other)];
  const fits = (x: string | undefined, y: string | undefined) =>
    x === undefined || y === undefined || x === y;
  return a.usb === b.usb && fits(a.interface, b.interface) &&
    fits(a.serial, b.serial);
}

/** The parts of a selector, as probe-rs compares them (`probe-rs/src/probe/selector.rs`). */
function takeApart(probeId: string) {
  const [, vid = "", pid = "", face, serial] =
    /^([^:]*):([^:-]*)(?:-([^:]*))?(?::(.*))?$/.exec(probeId) ?? [];
  return {
    usb: `${parseInt(vid, 16)}:${parseInt(pid, 16)}`,
    // "VID:PID-" names none.
    interface: face ? face.replace(/^0+(?=.)/, "") : undefined,
    serial: serial?.toLowerCase(),
  };
}

type WithoutDefaults<T> = {
  [K in keyof T]: T[K] extends z.ZodMiniDefault<infer U> ? z.ZodMiniOptional<U>
    : T[K];
};

/** The same keys, optional and without a value of their own. */
function withoutDefaults<T extends Readonly<Record<string, z.ZodMiniType>>>(
  shape: T,
): WithoutDefaults<T> {
  return Object.fromEntries(
    Object.entries(shape).map(([key, type]) => [
      key,
      type instanceof z.ZodMiniDefault ? z.optional(type.def.innerType) : type,
    ]),
  ) as WithoutDefaults<T>;
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSameList(one: unknown, other: unknown): boolean {
  return Array.isArray(one) && Array.isArray(other) &&
    one.length === other.length &&
    one.every((part, index) => part === other[index]);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
