/**
 * `iiot-gateway rewind`: a sink gets again what its server has lost.
 *
 * @module
 */

import type { Rewound } from "../journal/rewind.ts";
import { carryOut } from "./by_hand.ts";
import { loadConfigFile, WITHOUT_LOGIN } from "./config.ts";
import { formatMoment } from "./moment.ts";
import { agrees, print } from "./terminal/terminal.ts";
import { UsageError } from "./usage_error.ts";

/** Options of the command. */
export interface RewindCommandOptions {
  /** Path of config.toml. */
  readonly config: string;
  readonly sink: string;
  /** Microseconds since 1970; `-Infinity`: to the oldest packet. */
  readonly to: number;
  readonly dryRun: boolean;
  /** Without asking. */
  readonly yes: boolean;
}

/**
 * Says what goes out again, asks, and has it done.
 *
 * @returns the exit code, 0
 * @throws {ConfigError} if the configuration is wrong
 * @throws {UsageError} if there is no such sink, or nobody who could be asked
 */
export async function rewind(options: RewindCommandOptions): Promise<number> {
  const { sink, to, dryRun, yes } = options;
  const config = await loadConfigFile(options.config, WITHOUT_LOGIN);
  const known = (["mqtt", "influxdb"] as const)
    .filter((name) => config[name] !== undefined);
  if (!known.some((name) => name === sink)) {
    throw new UsageError(
      `The configuration has no sink "${sink}": it has ${known.join(", ")}`,
    );
  }
  const command = {
    do: "rewind",
    sink,
    toUs: Number.isFinite(to) ? to : null,
  } as const;
  if (!yes) {
    const plan = await carryOut(config, { ...command, dryRun: true });
    print(sayRewind(sink, to, plan, "would go"));
    if (dryRun || plan.packets === 0) return 0;
    if (!agrees("Send them again?")) {
      print("Nothing was changed.");
      return 0;
    }
  }
  const done = await carryOut(config, { ...command, dryRun });
  print(sayRewind(sink, to, done, dryRun ? "would go" : "go"));
  return 0;
}

/** What a rewind does, as sentences. */
export function sayRewind(
  sink: string,
  toUs: number,
  { from, to, packets, readings, firstUs, oldestUs }: Rewound,
  go: "go" | "would go",
): string {
  const sentences: string[] = [];
  if (oldestUs === null) return "The journal is empty: nothing goes out again.";
  if (firstUs === null) {
    sentences.push(
      `${sink} has had nothing of that time yet: nothing goes out again.`,
    );
  } else {
    sentences.push(
      `${sink}: ${packets} packets with ${readings} readings ${go} out again, the first of ${
        formatMoment(firstUs)
      } (back from packet ${from} to ${to}).`,
    );
  }
  if (toUs < oldestUs && Number.isFinite(toUs)) {
    sentences.push(
      `The journal begins at ${
        formatMoment(oldestUs)
      }: what happened before is deleted, and cannot be sent again.`,
    );
  }
  return sentences.join("\n");
}
