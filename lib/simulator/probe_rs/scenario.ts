/**
 * What happens on a bench without a board: which probes there are, what their boards print, and what
 * goes wrong when.
 *
 * Times are seconds of the scenario. They begin with the first call of a bench and run `speed` times
 * as fast as the clock.
 *
 * @module
 */

/** How a board's lines come out of probe-rs. */
export type LayoutName =
  | "defmt"
  | "defmt-time"
  | "defmt-two-line"
  | "println"
  | "rtt"
  | "channels";

/** A debug probe with a board behind it. */
export interface ScenarioProbe {
  /** `VID:PID:SERIAL`, VID and PID in hex. */
  readonly id: string;
  readonly chip: string;
  /** What `probe-rs list` calls it. */
  readonly name: string;
}

/** Something that happens. */
export interface ScenarioEvent {
  readonly at_s: number;
  readonly do: EventWord;
  /** The id of the one probe that it happens to. @default {every probe} */
  readonly probe?: string | undefined;
}

/** A bench and its story. */
export interface Scenario {
  /** The version of probe-rs that is pretended: `0.32.0`. */
  readonly version: string;
  /** Seconds of the scenario in a second. */
  readonly speed: number;
  /** From one packet of a board to the next. */
  readonly interval_s: number;
  readonly layout: LayoutName;
  /** How long programming takes. */
  readonly flash_s: number;
  /** The boards hold the firmware that they are first asked about; else they are blank. */
  readonly programmed: boolean;
  /** Damaged lines now and then. */
  readonly noise: boolean;
  /** The same seed, the same values. */
  readonly seed: number;
  /** Keep a copy of all that was printed. */
  readonly record: boolean;
  readonly probe: readonly ScenarioProbe[];
  readonly event: readonly ScenarioEvent[];
}

/** What holds of a probe and its board until an event changes it. */
export interface Conditions {
  readonly plugged: boolean;
  readonly powered: boolean;
  /** Another program holds the probe. */
  readonly taken: boolean;
  readonly permitted: boolean;
  /** Its flash can be erased. */
  readonly erasable: boolean;
  /** The firmware logs at all. */
  readonly speaking: boolean;
  readonly telemetry: boolean;
  /** Node 1 is heard. */
  readonly radio: boolean;
  /** The RTT control block can be found. */
  readonly rtt: boolean;
  /** probe-rs itself hangs and hears no signal. */
  readonly stalled: boolean;
}

const AT_FIRST: Conditions = {
  plugged: true,
  powered: true,
  taken: false,
  permitted: true,
  erasable: true,
  speaking: true,
  telemetry: true,
  radio: true,
  rtt: true,
  stalled: false,
};

/** Which words change a condition, and to what. */
const CHANGES = {
  unplug: { plugged: false },
  plug: { plugged: true },
  power_off: { powered: false },
  power_on: { powered: true },
  busy: { taken: true },
  free: { taken: false },
  no_permission: { permitted: false },
  permission: { permitted: true },
  erase_fails: { erasable: false },
  erase_works: { erasable: true },
  silence: { speaking: false },
  speak: { speaking: true },
  no_telemetry: { telemetry: false },
  telemetry: { telemetry: true },
  radio_off: { radio: false },
  radio_on: { radio: true },
  no_rtt: { rtt: false },
  rtt: { rtt: true },
  stall: { stalled: true },
  go_on: { stalled: false },
} as const satisfies Record<string, Partial<Conditions>>;

/** Words for what happens once. */
const INCIDENTS = [
  "reset",
  "panic",
  "blank",
  "truncated_json",
  "replacement_character",
  "hex",
] as const;

/** What an event does. */
export type EventWord = keyof typeof CHANGES | typeof INCIDENTS[number];

/** What takes a board from whoever reads it: another one in its place does, too. */
export type Loss = "unplug" | "power_off" | "blank";

/** Whether an event is a loss. */
export function isLoss(word: EventWord): word is Loss {
  return word === "unplug" || word === "power_off" || word === "blank";
}

/** Every word. */
export const EVENT_WORDS: readonly EventWord[] = [
  ...Object.keys(CHANGES) as (keyof typeof CHANGES)[],
  ...INCIDENTS,
];

/** Every layout. */
export const LAYOUTS: readonly LayoutName[] = [
  "defmt",
  "defmt-time",
  "defmt-two-line",
  "println",
  "rtt",
  "channels",
];

/** A Nucleo board with an STM32F446. */
export const DEFAULT_PROBE: ScenarioProbe = {
  id: "0483:374b:066DFF485550755187121723",
  chip: "STM32F446RETx",
  name: "STLink V2-1",
};

/** What a scenario is that says nothing else: a board that works. */
export const DEFAULT_SCENARIO: Scenario = {
  version: "0.32.0",
  speed: 1,
  interval_s: 1,
  layout: "defmt",
  flash_s: 1,
  programmed: true,
  noise: false,
  seed: 1,
  record: false,
  probe: [DEFAULT_PROBE],
  event: [],
};

/** The events of one probe, by their time. */
export function eventsOf(
  { event }: Scenario,
  probe: string,
): readonly ScenarioEvent[] {
  return event.filter((one) => one.probe === undefined || one.probe === probe)
    .sort((a, b) => a.at_s - b.at_s);
}

/** What holds at `atS`; what happens at that very moment has happened. */
export function conditionsAt(
  events: readonly ScenarioEvent[],
  atS: number,
): Conditions {
  let conditions = AT_FIRST;
  for (const event of events) {
    if (event.at_s > atS) break;
    conditions = { ...conditions, ...changeOf(event.do) };
  }
  return conditions;
}

/** The last time until `atS` at which one of `words` happened. */
export function lastTime(
  events: readonly ScenarioEvent[],
  words: readonly EventWord[],
  atS: number,
): number | undefined {
  return events.findLast((one) => one.at_s <= atS && words.includes(one.do))
    ?.at_s;
}

function changeOf(word: EventWord): Partial<Conditions> {
  return word in CHANGES ? CHANGES[word as keyof typeof CHANGES] : {};
}
