/**
 * The schema of the `[[metric]]` tables: each changes a metric of the built-in catalogue or adds one.
 *
 * @module
 */

import * as z from "zod/mini";
import {
  BUILT_IN_METRICS,
  createCatalogue,
  type Metric,
} from "../catalogue.ts";
import { formatPath, MAX_PATH_LENGTH, parsePath } from "../field_path.ts";
import { controlFree, lineText, matching, noBackslash } from "./values.ts";

const topicLevel = matching(
  /^[A-Za-z0-9_.-]{1,64}$/,
  "must be 1 to 64 of the characters A-Z a-z 0-9 _ . -",
);

const PATH_HINT =
  'must be the keys of the JSON packet with one "." between them, an index as [0], and a key with other characters as ["…"]';

/** The keys that only numbers have. */
const OF_NUMBERS = ["scale", "offset", "range"] as const;

const range = z.tuple([z.number(), z.number()]).check(
  z.refine(([min, max]) => min <= max, "must be [smallest, largest]"),
);

const metricTable = z.strictObject({
  path: z.string().check(
    z.maxLength(MAX_PATH_LENGTH),
    z.refine((path) => parsePath(path) !== undefined, PATH_HINT),
    z.regex(/^(?!__proto__$)/, "must be another key"),
  ),
  node: topicLevel,
  name: topicLevel,
  measurement: z.optional(
    lineText.check(z.regex(/^(?!_)/, 'must not begin with "_"')),
  ),
  unit: z._default(z.nullable(controlFree.check(noBackslash)), null),
  type: z._default(
    z.enum(["number", "integer", "boolean", "string"]),
    "number",
  ),
  scale: z._default(
    z.number().check(z.refine((scale) => scale !== 0, "must not be 0")),
    1,
  ),
  offset: z._default(z.number(), 0),
  retain: z._default(z.boolean(), true),
  range: z._default(z.nullable(range), null),
  expect_interval_s: z.optional(z.number().check(z.gte(1), z.lte(86400))),
}).check(({ value, issues }) => {
  const { type, scale, offset, range } = value;
  if (type === "number" || type === "integer") return;
  const given = { scale: scale !== 1, offset: offset !== 0, range };
  for (const key of OF_NUMBERS) {
    if (!given[key]) continue;
    issues.push({
      code: "custom",
      input: value,
      path: [key],
      message: `must not stand beside type = "${type}": only numbers have it`,
    });
  }
});

const metric = z.pipe(
  z.transform(overBuiltIn),
  z.pipe(
    metricTable,
    z.transform(
      ({ type, scale, offset, expect_interval_s, ...own }): Metric => ({
        ...own,
        path: formatPath(parsePath(own.path)!),
        measurement: own.measurement ?? own.name,
        unit: own.unit || null,
        ...(type !== "number" && { type }),
        ...(scale !== 1 && { scale }),
        ...(offset !== 0 && { offset }),
        ...(expect_interval_s !== undefined &&
          { expectIntervalS: expect_interval_s }),
      }),
    ),
  ),
);

/** The list of all `[[metric]]` tables, complete and without two of the same topic or series. */
export const metricList = z._default(
  z.array(metric, "must be written [[metric]]").check(({ value, issues }) =>
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
  ),
  [],
);

/** The keys that a `[[metric]]` table may have. */
export const METRIC_KEYS: readonly string[] = Object.keys(metricTable.shape);

/** A metric of the operator laid over the built-in one of the same path. */
function overBuiltIn(own: unknown): unknown {
  if (typeof own !== "object" || own === null || !("path" in own)) return own;
  const parts = parsePath(String(own.path));
  const path = parts && formatPath(parts);
  const builtIn = BUILT_IN_METRICS.find((one) => one.path === path);
  if (builtIn === undefined) return own;
  // What is no number has no range, and no unit unless it is given.
  const isNumber = !("type" in own) || own.type === "number" ||
    own.type === "integer";
  return {
    ...builtIn,
    ...(isNumber ? {} : { range: null, unit: null }),
    ...own,
  };
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
    if (changed.has(other.path)) continue;
    const { type = "number" } = other;
    if (
      other.measurement === own.measurement && type !== (own.type ?? "number")
    ) {
      return [
        "type",
        `must be "${type}", as that of "${other.path}" is, because both write to the measurement "${own.measurement}", where InfluxDB keeps one type (or give one of the two another "measurement")`,
      ];
    }
    if (other.node !== own.node) continue;
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
