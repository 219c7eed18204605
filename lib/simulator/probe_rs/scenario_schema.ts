/**
 * A scenario as somebody wrote it, checked.
 *
 * @module
 */

import * as z from "zod/mini";
import {
  DEFAULT_PROBE,
  DEFAULT_SCENARIO,
  EVENT_WORDS,
  type EventWord,
  type LayoutName,
  LAYOUTS,
  type Scenario,
} from "./scenario.ts";

const seconds = z.number().check(z.nonnegative(), z.lte(1e9));
const text = z.string().check(z.minLength(1));

const Probe = z.strictObject({
  id: z.string().check(z.regex(
    /^[0-9a-f]{4}:[0-9a-f]{4}:[^\s]+$/,
    "must be VID:PID:SERIAL, VID and PID in hex",
  )),
  chip: z._default(text, DEFAULT_PROBE.chip),
  name: z._default(text, DEFAULT_PROBE.name),
});

const Event = z.strictObject({
  at_s: seconds,
  do: z.enum(EVENT_WORDS as [EventWord]),
  probe: z.optional(z.string()),
});

const version = z.pipe(
  z.string().check(z.regex(
    /^0\.(?:2[4-9]|3[0-2])(?:\.\d{1,3})?$/,
    "must be a version from 0.24 to 0.32",
  )),
  z.transform((text: string) =>
    text.split(".").length === 2 ? `${text}.0` : text
  ),
);

const Schema = z.strictObject({
  version: z._default(version, DEFAULT_SCENARIO.version),
  speed: z._default(
    z.number().check(z.positive(), z.lte(100_000)),
    DEFAULT_SCENARIO.speed,
  ),
  interval_s: z._default(
    z.number().check(z.gte(0.001), z.lte(86_400)),
    DEFAULT_SCENARIO.interval_s,
  ),
  layout: z._default(
    z.enum(LAYOUTS as [LayoutName]),
    DEFAULT_SCENARIO.layout,
  ),
  flash_s: z._default(seconds, DEFAULT_SCENARIO.flash_s),
  programmed: z._default(z.boolean(), DEFAULT_SCENARIO.programmed),
  noise: z._default(z.boolean(), DEFAULT_SCENARIO.noise),
  seed: z._default(
    z.int().check(z.gte(0), z.lte(4_294_967_295)),
    DEFAULT_SCENARIO.seed,
  ),
  record: z._default(z.boolean(), DEFAULT_SCENARIO.record),
  probe: z._default(z.array(Probe), [...DEFAULT_SCENARIO.probe]),
  event: z._default(z.array(Event), []),
}).check(probesAreClear());

/** Checks what a probe's id is said for; also where other keys are faulty, so all faults come at once. */
function probesAreClear() {
  const check = z.check<Pick<Scenario, "probe" | "event">>(
    ({ value: { probe, event }, issues }) => {
      const fault = (path: PropertyKey[], input: unknown, message: string) =>
        issues.push({ code: "custom", path, input, message });
      const ids = list(probe).map(({ id }) => id);
      ids.forEach((id, i) => {
        if (ids.indexOf(id) === i) return;
        fault(["probe", i, "id"], id, "must be another one for each probe");
      });
      list(event).forEach(({ probe: id }, i) => {
        if (id === undefined || ids.includes(id)) return;
        fault(["event", i, "probe"], id, "must be the id of a [[probe]]");
      });
    },
  );
  check._zod.def.when = ({ value }) =>
    typeof value === "object" && value !== null;
  return check;
}

/** The tables in `value`, which may be anything where it is faulty. */
function list<T extends object>(value: readonly T[]): readonly T[] {
  return Array.isArray(value)
    ? value.filter((one) => typeof one === "object" && one !== null)
    : [];
}

/** Keys that a table of a scenario knows, by its name; the top's is `""`. */
export const SCENARIO_KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(Schema.shape),
  probe: Object.keys(Probe.shape),
  event: Object.keys(Event.shape),
};

/** A scenario, or everything that is wrong with it. */
export type CheckedScenario =
  | { readonly scenario: Scenario }
  | { readonly issues: readonly z.core.$ZodIssue[] };

/**
 * Checks `data`, a parsed TOML file.
 *
 * @param error puts an issue into words
 */
export function checkScenario(
  data: unknown,
  error: z.core.$ZodErrorMap,
): CheckedScenario {
  const result = Schema.safeParse(data, { error });
  return result.success
    ? { scenario: result.data }
    : { issues: result.error.issues };
}
