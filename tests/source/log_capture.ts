/**
 * What rooms log, for tests.
 *
 * @module
 */

import { configure, reset } from "@logtape/logtape";

/** Takes all that is logged under `gateway` until it is disposed; a line of a board with a name ends in it. */
export async function captureLog(): Promise<
  AsyncDisposable & { readonly lines: string[] }
> {
  const lines: string[] = [];
  await configure({
    reset: true,
    sinks: {
      memory: ({ category, level, message, properties: { board } }) =>
        void lines.push(
          `${category.slice(1).join(".")} ${level}: ${message.join("")}${
            board === undefined ? "" : ` (${board})`
          }`,
        ),
    },
    loggers: [
      { category: "gateway", sinks: ["memory"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  return { lines, [Symbol.asyncDispose]: reset };
}
