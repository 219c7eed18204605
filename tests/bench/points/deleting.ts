/**
 * Whether it is felt that old packets are deleted.
 *
 * @module
 */

import { join } from "node:path";
import { EMPTY_COMMIT, logBytesOf } from "../../../lib/journal/disk.ts";
import { chunkRows } from "../../../lib/journal/retention.ts";
import { Store } from "../../../lib/journal/store.ts";
import {
  copyWhole,
  giveRows,
  madeJournal,
  ROOMY,
  rowMaker,
} from "../filled_journal.ts";
import { BenchGateway } from "../gateway.ts";
import {
  AgeSubscriber,
  pacedChild,
  pacedResult,
  SENT_METRIC,
} from "../paced.ts";
import {
  type BenchContext,
  type Figure,
  figure,
  type Point,
} from "../point.ts";
import { READINGS } from "../prepared_lines.ts";
import { percentile } from "../stats.ts";

/** What comes first is a program that has just been started, and is not looked at. */
const WARM_UP_S = 2;
/** What the journal holds of old rows, of which many go while packets come at a steady pace. */
const OLD_ROWS = 1_000_000;
/** Of a journal of that many rows, 160 MB, two thirds have to go. */
const TIGHT = "max_megabytes = 60\nreserve = false";
const PACE = { perSecond: 500, seconds: { quick: 5, full: 15 } };
/** Rows that the gateway deletes at once, where its file is full. */
const DELETED = chunkRows({
  ...{ excessBytes: 1, committedRows: 1, readingsPerRow: READINGS },
});
/** Commits that delete the oldest rows, and as many that delete none. */
const COMMITS = { quick: 200, full: 1500 };

/** Deleting. */
export const DELETING: Point = {
  name: "deleting",
  title: "Deleting: packets at a steady pace, while old ones are deleted",
  notes: [
    `Longest stall: from a line's leaving the child to the subscriber, of all packets at ${PACE.perSecond} a second, while old ones, of which there are ${
      OLD_ROWS / 1e6
    } million, are deleted (by size or by age), and while none is.`,
    `Commits: of one row each, with nothing else under way, and with ${DELETED} of the oldest rows deleted, which is as many as the gateway deletes at once where its file is full.`,
  ],
  needs: ["mosquitto", "victoria-metrics"],
  async *round(context) {
    yield* whileDeleting(context);
    yield* commits(context);
  },
  ratios: [
    ...["deleting by size", "deleting by age"].flatMap((side) =>
      ["median", "longest stall"].map((name) => ({
        of: { side, name },
        to: { side: "deleting nothing", name },
        atMost: 10,
      }))
    ),
    {
      of: { side: "commits that delete", name: "longest" },
      to: { side: "commits", name: "longest" },
    },
    {
      of: { side: "commits that delete", name: "median" },
      to: { side: "commits", name: "median" },
      atMost: 6,
    },
  ],
};

async function* whileDeleting(context: BenchContext): AsyncIterable<Figure> {
  const sides = {
    "deleting nothing": ROOMY,
    "deleting by size": TIGHT,
    "deleting by age": `${ROOMY}\nhistory = "1h"`,
  };
  const { perSecond } = PACE;
  const packets = perSecond * PACE.seconds[context.size];
  for (const [side, journal] of Object.entries(sides)) {
    await using gateway = await BenchGateway.create({
      ...{ program: context.program, startAt: "now" },
      child: pacedChild(packets, perSecond),
      toml: `${SENT_METRIC}\n[journal]\n${journal}`,
    });
    await giveRows(context, gateway, OLD_ROWS);
    const heard = await AgeSubscriber.open(gateway);
    gateway.start();
    const report = await gateway.delivered({ packets });
    await pacedResult(gateway);
    await heard[Symbol.asyncDispose]();
    await gateway.end();
    const agesMs = heard.agesMs.slice(WARM_UP_S * perSecond);
    yield figure(side, "median", "ms", percentile(agesMs, 0.5));
    yield figure(side, "longest stall", "ms", percentile(agesMs, 1));
    yield figure(side, "journal", "MB", report.journal.usedBytes / 1e6);
  }
}

async function* commits(context: BenchContext): AsyncIterable<Figure> {
  const { folder, size } = context;
  const made = await madeJournal(context, OLD_ROWS);
  const rowOf = rowMaker();
  for (const deletes of [0, DELETED]) {
    const path = join(folder, `commits-${deletes}.db`);
    await copyWhole(made, path);
    const store = new Store();
    store.open(path, logBytesOf(64e6));
    const tookMs: number[] = [];
    for (let i = 0; i < COMMITS[size]; i++) {
      const first = 1 + i * deletes;
      const deleted = deletes === 0
        ? null
        : [first, first + deletes - 1] as const;
      const rows = [rowOf(OLD_ROWS + 1 + i)];
      const beganMs = performance.now();
      store.commit({ ...EMPTY_COMMIT, rows, deleted });
      tookMs.push(performance.now() - beganMs);
    }
    store.close();
    const side = deletes === 0 ? "commits" : "commits that delete";
    yield figure(side, "median", "ms", percentile(tookMs, 0.5));
    yield figure(side, "longest", "ms", percentile(tookMs, 1));
  }
}
