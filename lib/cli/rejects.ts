/**
 * `iiot-gateway rejects`: what could not be used, and what is to become of it.
 *
 * @module
 */

import type { KeptReject } from "../journal/disk.ts";
import { JournalReader } from "../journal/reader.ts";
import type { RejectFilter, Resent } from "../journal/rejects.ts";
import { readingOf } from "../gateway/operations.ts";
import { escapeTricks } from "../source/firmware_text.ts";
import { carryOut, existingJournal } from "./by_hand.ts";
import { loadConfigFile, WITHOUT_LOGIN } from "./config.ts";
import { formatMoment } from "./moment.ts";
import { Output } from "./terminal/output.ts";
import { agrees, print } from "./terminal/terminal.ts";

/** The most of a body that a list shows, in characters. */
const SHOWN = 400;

/** What every command on rejects may be told. */
export interface RejectsOptions extends RejectFilter {
  /** Path of config.toml. */
  readonly config: string;
}

/** Options of `rejects list`. */
export interface ListRejectsOptions extends RejectsOptions {
  /** The newest so many. */
  readonly limit: number;
  /** For programs: an object a line, with the whole body. */
  readonly json: boolean;
}

/** Prints the newest rejects, the newest last. @returns the exit code, 0 */
export async function listRejects(
  { limit, json, ...options }: ListRejectsOptions,
): Promise<number> {
  const newest: KeptReject[] = [];
  let count = 0;
  for await (const reject of read(options)) {
    count++;
    newest.push(reject);
    if (newest.length > limit) newest.shift();
  }
  for (const reject of newest) {
    print(json ? formatJson(reject) : formatReject(reject));
  }
  if (json) return 0;
  if (count === 0) print("There are no rejects.");
  else if (count > newest.length) {
    print(
      `The newest ${newest.length} of ${count}; --limit ${count} shows all.`,
    );
  }
  return 0;
}

/** Writes the rejects whole, an object a line. @returns the exit code, 0 */
export async function exportRejects(
  { output, ...options }: RejectsOptions & {
    readonly output?: string | undefined;
  },
): Promise<number> {
  using to = await Output.open(output);
  try {
    for await (const reject of read(options)) {
      await to.write(`${formatJson(reject)}\n`);
    }
  } catch (error) {
    // `| head` has seen enough.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
  return 0;
}

/** Sends rejects again, and says what became of them. @returns the exit code, 0 */
export async function resendRejects(
  { config: path, ...filter }: RejectsOptions,
): Promise<number> {
  const config = await loadConfigFile(path, WITHOUT_LOGIN);
  const reading = readingOf(config);
  print(
    sayResent(await carryOut(config, { do: "resend", reading, ...filter })),
  );
  return 0;
}

/** Takes rejects away for good, after a question. @returns the exit code, 0 */
export async function clearRejects(
  { yes, ...options }: RejectsOptions & { readonly yes: boolean },
): Promise<number> {
  const { config: path, ...filter } = options;
  const config = await loadConfigFile(path, WITHOUT_LOGIN);
  if (!yes) {
    const count = (await Array.fromAsync(read(options))).length;
    if (count === 0) {
      print("There are no such rejects.");
      return 0;
    }
    if (!agrees(`Delete ${count} rejects for good?`)) {
      print("Nothing was changed.");
      return 0;
    }
  }
  const { cleared } = await carryOut(config, { do: "clear", ...filter });
  print(`${cleared} rejects are deleted.`);
  return 0;
}

/** What became of rejects, a line each. */
export function sayResent(
  { packets, readings, returned, unusable, strange, noRoom }: Resent,
): string {
  const lines = [
    packets > 0 &&
    `${packets} lines are packets now, with ${readings} readings for every sink.`,
    ...Object.entries(returned).map(([name, count]) =>
      `${count} readings go to ${name} again.`
    ),
    unusable > 0 &&
    `${unusable} lines are as unusable as before, and stay among the rejects.`,
    strange > 0 &&
    `${strange} are of sinks that the configuration does not have, and stay.`,
    noRoom > 0 &&
    `${noRoom} stay for now, because so many are on their way already: send them again later.`,
  ].filter((line) => line !== false);
  return lines.length === 0 ? "There are no such rejects." : lines.join("\n");
}

async function* read(
  { config, ...filter }: RejectsOptions,
): AsyncIterable<KeptReject> {
  const path = await existingJournal(
    await loadConfigFile(config, WITHOUT_LOGIN),
  );
  using reader = new JournalReader(path);
  yield* reader.rejects(filter);
}

function formatReject(
  { id, timeUs, board, origin, reason, body }: KeptReject,
): string {
  const shown = body.length > SHOWN ? `${body.slice(0, SHOWN)}…` : body;
  const who = board === "" ? origin : `${origin} (${board})`;
  return `${id}  ${formatMoment(timeUs)}  ${who}: ${
    escapeTricks(reason)
  }\n    ${escapeTricks(shown)}`;
}

function formatJson(
  { id, timeUs, board, origin, reason, body }: KeptReject,
): string {
  const time = formatMoment(timeUs);
  return JSON.stringify({ id, time, board, origin, reason, body });
}
