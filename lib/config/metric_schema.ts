/**
 * The schema of the `[[metric]]` tables: each changes a metric of the built-in catalogue or adds one.
 *
 * @module
 */

import * as z from "zod";
import {
  BUILT_IN_METRICS,
  createCatalogue,
  type Metric,
} from "../catalogue.ts";

const controlFree = z.string().regex(
  /^\P{Cc}*$/u,
  "must not contain control characters",
);

/** A string with something in it, and no control characters. */
export const plainText = controlFree.min(1);

const NO_BACKSLASH = [/(?<!\\)$/, "must not end in a backslash"] as const;

/** What line protocol can carry as measurement, tag key or tag value, once escaped. */
export const lineText = plainText.regex(...NO_BACKSLASH);

const topicLevel = z.string().regex(
  /^[A-Za-z0-9_.-]{1,64}$/,
  "must be 1 to 64 of the characters A-Z a-z 0-9 _ . -",
);

const metricTable = z.strictObject({
  path: z.string().max(200).regex(
    /^[^.\s]+(\.[^.\s]+)*$/,
    'must be the keys of the JSON packet with one "." between them',
  ),
  node: topicLevel,
  name: topicLevel,
  measurement: lineText.regex(/^(?!_)/, 'must not begin with "_"').optional(),
  unit: controlFree.regex(...NO_BACKSLASH).nullable().default(null),
  retain: z.boolean().default(true),
  range: z.tuple([z.number(), z.number()])
    .refine(([min, max]) => min <= max, "must be [smallest, largest]")
    .nullable().default(null),
});

const metric = z.preprocess(
  overBuiltIn,
  metricTable.transform((own): Metric => ({
    ...own,
    measurement: own.measurement ?? own.name,
    unit: own.unit || null,
  })),
);

/** The list of all `[[metric]]` tables, complete and without two of the same topic or series. */
export const metricList = z.array(metric, "must be written [[metric]]")
  .default([]).check(({ value, issues }) =>
    value.forEach((own, index) => {
      const [key, message] =
        clash(own, value.slice(0, index), value.slice(index + 1)) ?? [];
      if (key !== undefined) {
        issues.push({
          code: "custom",
          input: value,
          path: [index, key],
          message,
        });
      }
    })
  );

/** The keys that a `[[metric]]` table may have. */
export const METRIC_KEYS: readonly string[] = Object.keys(metricTable.shape);

/** A metric of the operator laid over the built-in one of the same path. */
function overBuiltIn(own: unknown): unknown {
  if (typeof own !== "object" || own === null || !("path" in own)) return own;
  return { ...BUILT_IN_METRICS.find((one) => one.path === own.path), ...own };
}

/** In which key `own` repeats a metric before it; what `later` changes is looked at in its turn. */
function clash(
  own: Metric,
  earlier: readonly Metric[],
  later: readonly Metric[],
): [key: keyof Metric, message: string] | undefined {
  if (earlier.some((one) => one.path === own.path)) {
    return ["path", "must be there once"];
  }
  const changed = new Set([own, ...later].map((one) => one.path));
  for (const other of createCatalogue(earlier).values()) {
    if (changed.has(other.path) || other.node !== own.node) continue;
    if (other.name === own.name) {
      return ["name", `must not make the topic of "${other.path}" again`];
    }
    if (other.measurement === own.measurement) {
      return [
        "measurement",
        `must not make the series of "${other.path}" again`,
      ];
    }
  }
}
