/**
 * What rooms log, for tests.
 *
 * @module
 */

import { configure, type LogRecord, reset } from "@logtape/logtape";

/** Takes all that is logged under `gateway` until it is disposed; a line of a board with a name ends in it. */
export async function captureLog(): Promise<
  AsyncDisposable & {
    readonly lines: string[];
    readonly records: LogRecord[];
  }
> {
  const lines: string[] = [];
  const records: LogRecord[] = [];
  await configure({
    reset: true,
    sinks: {
      memory: (record) => {
        const { category, level, message, properties: { board } } = record;
        records.push(record);
        lines.push(
          `${category.slice(1).join(".")} ${level}: ${message.join("")}${
            board === undefined ? "" : ` (${board})`
          }`,
        );
      },
    },
    loggers: [
      { category: "gateway", sinks: ["memory"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  return { lines, records, [Symbol.asyncDispose]: reset };
}
