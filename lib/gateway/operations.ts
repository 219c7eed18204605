/**
 * What commands can have done: with a gateway that runs, or with a journal alone.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createCatalogue } from "../catalogue.ts";
import type { Config } from "../config/schema.ts";
import { Operations } from "../control/operations.ts";
import type { Forwarder } from "../forwarder/forwarder.ts";
import type { Journal } from "../journal/journal.ts";
import type { ChildTaps } from "../source/child_taps.ts";
import { readAgain } from "../source/second_reading.ts";
import type { Sources } from "../source/sources.ts";

/** What a gateway that runs can tell and be told beside its journal. */
interface Running {
  readonly forwarders: readonly Forwarder[];
  readonly sources?: Sources;
  /** By the board's name. */
  readonly taps: Readonly<Record<string, ChildTaps>>;
}

/** What commands can have done; by a command itself nothing is `running`. */
export function createOperations(
  config: Config,
  journal: Journal,
  { forwarders, sources, taps }: Running = { forwarders: [], taps: {} },
): Operations {
  const catalogue = createCatalogue(config.metrics);
  return new Operations({
    journal,
    links: () =>
      Object.fromEntries(forwarders.map((one) => [one.name, one.link])),
    boards: sources?.boards ?? {},
    readAgain: ({ board, body, reason }) =>
      readAgain(body, reason, { marker: markerOf(config, board), catalogue }),
    reading: readingOf(config),
    taps,
    onResent: () => {
      for (const one of forwarders) one.tryParkedNow();
    },
  });
}

/** Stands for the configuration by which lines are read. */
export function readingOf({ boards, metrics }: Config): string {
  const markers = boards.map(({ name, marker }) => [name, marker]).toSorted();
  return createHash("sha256")
    .update(JSON.stringify([markers, metrics]))
    .digest("hex");
}

/** What stands before the JSON of a board; of one that is not there any more, that of the first. */
function markerOf({ boards }: Config, board: string): string {
  const own = boards.find(({ name }) => name === board) ?? boards[0];
  return own?.marker ?? "";
}
