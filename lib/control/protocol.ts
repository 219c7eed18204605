/**
 * What commands ask of a running gateway, and what it answers.
 *
 * A connection carries one question. On a socket that the system does not guard, its first line is the
 * token. Then, a line of JSON each:
 *
 *     → {"version":1,"command":{"do":"rewind","sink":"influxdb","toUs":null,"dryRun":false}}
 *     ← {"progress":0.5}                       any number of times
 *     ← {"part":"…"}                           the same, of what is told piece by piece
 *     ← {"result":{…}} or {"error":"…"}        and the end
 *
 * @module
 */

import * as z from "zod/mini";
import type { LinkState } from "../forwarder/link.ts";
import type { Resent } from "../journal/rejects.ts";
import type { JournalReport } from "../journal/report.ts";
import type { Rewound } from "../journal/rewind.ts";
import type { SourceState } from "../source/source.ts";
import { MAX_RELEASE_MINUTES, type Released } from "./release.ts";

/** Grows when a program of the version before could no longer make itself understood. */
export const PROTOCOL_VERSION = 1;

const name = z.string().check(z.maxLength(100));

const meant = {
  /** Only these. */
  ids: z.optional(z.readonly(
    z.array(z.int().check(z.gte(1))).check(z.maxLength(5000)),
  )),
  /** Only those of `source`, or of this sink. */
  origin: z.optional(name),
  /** Only those from here on, microseconds since 1970. */
  sinceUs: z.optional(z.number()),
};

const COMMAND = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("status") }),
  z.strictObject({
    do: z.literal("rewind"),
    sink: name,
    /** Microseconds since 1970; null: to the oldest packet. */
    toUs: z.nullable(z.number()),
    dryRun: z.boolean(),
  }),
  z.strictObject({
    do: z.literal("resend"),
    /** By what the caller's configuration reads lines: see `Operations`. */
    reading: z.string().check(z.maxLength(200)),
    ...meant,
  }),
  z.strictObject({ do: z.literal("clear"), ...meant }),
  z.strictObject({
    do: z.literal("release"),
    board: z.optional(name),
    minutes: z.int().check(z.gte(0), z.lte(MAX_RELEASE_MINUTES)),
  }),
  z.strictObject({
    do: z.literal("record"),
    /** The board's name; empty in the single form. */
    board: name,
  }),
]);

const REQUEST = z.strictObject({
  version: z.literal(PROTOCOL_VERSION),
  command: COMMAND,
});

/** What a gateway can be asked to do. */
export type Command = z.output<typeof COMMAND>;

/** How a running gateway stands. */
export interface GatewayReport {
  /** Its process id. */
  readonly process: number;
  readonly journal: JournalReport;
  /** Each sink's link, by its name. */
  readonly links: Readonly<Record<string, LinkState>>;
  /** How each board is, by its name. A gateway of before its program was replaced may not tell. */
  readonly children?: Readonly<Record<string, SourceState>> | undefined;
}

/** What each command gives. */
export interface Results {
  readonly status: GatewayReport;
  readonly rewind: Rewound;
  readonly resend: Resent;
  readonly clear: { readonly cleared: number };
  readonly release: Released;
  /** Its parts are the lines of a recording, until the asker hangs up. */
  readonly record: Readonly<Record<never, never>>;
}

/** What a command gives. */
export type ResultOf<C extends Command> = Results[C["do"]];

/** A line of the gateway's. */
export type Answer =
  | { readonly progress: number }
  | { readonly part: string }
  | { readonly result: unknown }
  | { readonly error: string };

/** The line that asks for `command`. */
export function formatRequest(command: Command): string {
  return JSON.stringify({ version: PROTOCOL_VERSION, command });
}

/** What a line asks for. @throws {Error} if it is no request, or one of another version */
export function parseRequest(line: string): Command {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch {
    throw new Error("A request must be a line of JSON");
  }
  const { data: request, error } = REQUEST.safeParse(data);
  if (request !== undefined) return request.command;
  const version = typeof data === "object" && data !== null &&
    "version" in data && data.version;
  if (typeof version === "number" && version !== PROTOCOL_VERSION) {
    throw new Error(
      `The gateway understands version ${PROTOCOL_VERSION} of its commands: this one is of version ${version}. Use the program that the gateway runs with`,
    );
  }
  const places = error.issues.map(({ path }) => `"${path.join(".")}"`);
  throw new Error(
    `A request is not as it must be at ${places.join(", ")}`.slice(0, 500),
  );
}
