/**
 * A scenario as somebody wrote it, checked.
 *
 * @module
 */

import * as z from "zod";
import {
  DEFAULT_PROBE,
  DEFAULT_SCENARIO,
  EVENT_WORDS,
  type EventWord,
  type LayoutName,
  LAYOUTS,
  type Scenario,
} from "./scenario.ts";

const seconds = () => z.number().nonnegative().max(1e9);

const Probe = z.strictObject({
  id: z.string().regex(
    /^[0-9a-f]{4}:[0-9a-f]{4}:[^\s]+$/,
    "must be VID:PID:SERIAL, VID and PID in hex",
  ),
  chip: z.string().min(1).default(DEFAULT_PROBE.chip),
  name: z.string().min(1).default(DEFAULT_PROBE.name),
});

const Event = z.strictObject({
  at_s: seconds(),
  do: z.enum(EVENT_WORDS as [EventWord]),
  probe: z.string().optional(),
});

const Schema = z.strictObject({
  version: z.string()
    .regex(
      /^0\.(?:2[4-9]|3[0-2])(?:\.\d{1,3})?$/,
      "must be a version from 0.24 to 0.32",
    )
    .transform((text) => text.split(".").length === 2 ? `${text}.0` : text)
    .default(DEFAULT_SCENARIO.version),
  speed: z.number().positive().max(100_000).default(DEFAULT_SCENARIO.speed),
  interval_s: z.number().min(0.001).max(86_400).default(
    DEFAULT_SCENARIO.interval_s,
  ),
  layout: z.enum(LAYOUTS as [LayoutName]).default(DEFAULT_SCENARIO.layout),
  flash_s: seconds().default(DEFAULT_SCENARIO.flash_s),
  programmed: z.boolean().default(DEFAULT_SCENARIO.programmed),
  noise: z.boolean().default(DEFAULT_SCENARIO.noise),
  seed: z.int().min(0).max(4_294_967_295).default(DEFAULT_SCENARIO.seed),
  record: z.boolean().default(DEFAULT_SCENARIO.record),
  probe: z.array(Probe).default([...DEFAULT_SCENARIO.probe]),
  event: z.array(Event).default([]),
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
