/**
 * What commands can have done: with a gateway that runs, or with a journal alone.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { catalogueOf } from "../catalogue.ts";
import type { BoardConfig, Config } from "../config/schema.ts";
import { Operations } from "../control/operations.ts";
import type { Forwarder } from "../forwarder/forwarder.ts";
import type { Journal } from "../journal/journal.ts";
import type { ChildTaps } from "../source/child_taps.ts";
import { readAgain } from "../source/second_reading.ts";
import type { UnknownFields } from "../source/unknown_fields.ts";
import { createUnknownFields, pathsOf } from "./boards.ts";
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
  const catalogue = catalogueOf(config);
  const unknownFields = new Map<string, UnknownFields>();
  const fieldsOf = (board: BoardConfig) => {
    let fields = unknownFields.get(board.name);
    if (fields === undefined) {
      // Those win here that have won in what was read.
      const known = pathsOf(board.name, journal);
      fields = createUnknownFields(config, board, catalogue, known);
      unknownFields.set(board.name, fields);
    }
    return fields.metricOf.bind(fields);
  };
  return new Operations({
    journal,
    links: () =>
      Object.fromEntries(forwarders.map((one) => [one.name, one.link])),
    boards: sources?.boards ?? {},
    readAgain: ({ board, body, reason }) => {
      const own = boardOf(config, board);
      const marker = own?.marker ?? "";
      const metricOf = own && fieldsOf(own);
      return readAgain(body, reason, { marker, catalogue, metricOf });
    },
    reading: readingOf(config),
    taps,
    onResent: () => {
      for (const one of forwarders) one.tryParkedNow();
    },
  });
}

/** Stands for the configuration by which lines are read. */
export function readingOf({ boards, metrics }: Config): string {
  const markers = boards
    .map(({ name, marker, unknown_fields }) => [name, marker, unknown_fields])
    .toSorted();
  return createHash("sha256")
    .update(JSON.stringify([markers, metrics]))
    .digest("hex");
}

/** The board of this name; where it is not there any more, the first. */
function boardOf({ boards }: Config, board: string): BoardConfig | undefined {
  return boards.find(({ name }) => name === board) ?? boards[0];
}
