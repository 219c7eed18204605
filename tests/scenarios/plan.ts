/**
 * What happens in a run, all of it from the seed, before anything begins: to the boards, to the gateway,
 * and what people do meanwhile.
 *
 * All times are seconds of the wall clock since the bench began.
 *
 * @module
 */

import {
  DEFAULT_PROBE,
  DEFAULT_SCENARIO,
  type EventWord,
  LAYOUTS,
  type Scenario,
  type ScenarioEvent,
} from "../../lib/simulator/probe_rs/scenario.ts";
import type { FlashMode } from "../../lib/source/programming.ts";
import { Random } from "../simulation/random.ts";

/** A board of the gateway's configuration. */
export interface PlannedBoard {
  /** Empty in the single form. */
  readonly name: string;
  readonly probe: string;
  readonly flash: FlashMode;
  readonly reflashOnChange: boolean;
}

/** Something that is done from outside. */
export interface Act {
  readonly at_s: number;
  readonly do:
    /** `kill -9` of the gateway, and a start after the pause. */
    | "kill"
    /** SIGTERM, and a start after the pause. */
    | "stop"
    /** Another firmware in the file's place, at once. */
    | "replace"
    /** The same, and for half a second the file is there by half. */
    | "copy"
    | "release"
    | "take";
  /** The place of its board; of no importance to the gateway as a whole. */
  readonly board: number;
  readonly pause_s: number;
}

/** A run. */
export interface Plan {
  readonly seed: number;
  /** The bench, its times not yet multiplied by its speed. */
  readonly scenario: Scenario;
  readonly boards: readonly PlannedBoard[];
  readonly silenceTimeoutS: number;
  readonly acts: readonly Act[];
  /** From here on nothing is wrong any more, and nobody does anything. */
  readonly calm_s: number;
  /** The boards are swapped for blank ones, which is found out later. */
  readonly isSwap: boolean;
}

/** What goes wrong, how it ends, and how often that is chosen. */
const TROUBLES: readonly (readonly [
  begin: EventWord,
  end: EventWord | undefined,
  weight: number,
])[] = [
  ["unplug", "plug", 4],
  ["power_off", "power_on", 3],
  ["busy", "free", 2],
  ["no_permission", "permission", 1],
  ["erase_fails", "erase_works", 2],
  ["silence", "speak", 3],
  ["no_telemetry", "telemetry", 3],
  ["radio_off", "radio_on", 1],
  ["no_rtt", "rtt", 1],
  ["stall", "go_on", 2],
  ["reset", undefined, 3],
  ["panic", undefined, 2],
  ["blank", undefined, 1],
  ["truncated_json", undefined, 1],
  ["replacement_character", undefined, 1],
  ["hex", undefined, 1],
];

const ACTS: readonly (readonly [Act["do"], number])[] = [
  ["kill", 4],
  ["stop", 3],
  ["replace", 3],
  ["copy", 1],
  ["release", 3],
];

const FLASH_MODES: readonly (readonly [FlashMode, number])[] = [
  ["when-changed", 4],
  ["always", 1],
  ["never", 1],
];

const VERSIONS = ["0.24.0", "0.28.0", "0.30.0", "0.32.0"] as const;

/** At once, soon, or so late that who was left behind is not ended by the next gateway. */
const PAUSES_S = [0, 0, 0, 0.2, 1, 5];

/** One seed in so many waits until a board that was swapped is found out: that takes two minutes. */
const SWAPPED_EVERY = 100;
/** A reset that mends a firmware that stands still. */
const MENDED_AFTER_S = 0.5;

/** The same for the same seed. */
export function makePlan(seed: number): Plan {
  const random = new Random(seed);
  const isSwap = seed % SWAPPED_EVERY === 0;
  const calm_s = isSwap ? 8 : round(random.between(60, 130) / 10);
  const speed = random.pick([1, 1, 1, 2, 5]);
  const count = random.chance(0.25) ? 2 : 1;
  const boards = Array.from({ length: count }, (_, i): PlannedBoard => ({
    name: count === 1 ? "" : "ab"[i]!,
    probe: probeId(i),
    flash: isSwap ? "when-changed" : weighted(random, FLASH_MODES),
    reflashOnChange: random.chance(0.4),
  }));
  const events = isSwap
    ? [{ at_s: 6, do: "blank" as const }]
    : troubles(random, boards, calm_s);
  return {
    seed,
    scenario: {
      ...DEFAULT_SCENARIO,
      version: random.pick(VERSIONS),
      speed,
      interval_s: random.pick([0.1, 0.25, 0.5, 1]),
      layout: random.pick(LAYOUTS),
      flash_s: random.pick([0.1, 0.5, 1.5]),
      programmed: random.chance(0.3),
      noise: random.chance(0.5),
      seed,
      record: true,
      probe: boards.map(({ probe: id }) => ({ ...DEFAULT_PROBE, id })),
      event: [
        ...events,
        ...isSwap
          ? []
          : [{ at_s: calm_s - MENDED_AFTER_S, do: "reset" as const }],
      ],
    },
    boards,
    silenceTimeoutS: random.between(1, 3),
    acts: acts(random, boards, isSwap ? 5 : calm_s - 1),
    calm_s,
    isSwap,
  };
}

/** The bench's scenario, as the stand-in wants it. */
export function toScenario({ scenario }: Plan): Scenario {
  const { speed, interval_s, flash_s, event } = scenario;
  return {
    ...scenario,
    interval_s: interval_s * speed,
    flash_s: flash_s * speed,
    event: event.map((one) => ({ ...one, at_s: one.at_s * speed })),
  };
}

/** A scenario as a TOML file. */
export function toToml({ probe, event, ...keys }: Scenario): string {
  // Strings, numbers and booleans of JSON are the same in TOML.
  const table = (row: object) =>
    Object.entries(row).map(([key, value]) =>
      `${key} = ${JSON.stringify(value)}\n`
    ).join("");
  return [
    table(keys),
    ...probe.map((one) => `[[probe]]\n${table(one)}`),
    ...event.map((one) => `[[event]]\n${table(one)}`),
  ].join("\n");
}

/** A plan as a person reads it, a line each. */
export function tellPlan({ scenario, boards, acts, calm_s }: Plan): string[] {
  const { version, layout, interval_s, flash_s, programmed, noise, speed } =
    scenario;
  const told = [
    ...scenario.event.map(({ at_s, do: word, probe }) => ({
      at_s,
      text: `board ${probe?.slice(-2) ?? "all"}: ${word}`,
    })),
    ...acts.map(({ at_s, do: word, board, pause_s }) => ({
      at_s,
      text: `${word} (board ${board}, pause ${pause_s} s)`,
    })),
  ].sort((a, b) => a.at_s - b.at_s);
  return [
    `probe-rs ${version}, ${layout}, a packet every ${interval_s} s, programming takes ${flash_s} s, programmed ${programmed}, noise ${noise}, speed ${speed}`,
    ...boards.map(({ name, probe, flash, reflashOnChange }) =>
      `board "${name}" at ${probe}: flash ${flash}, reflash_on_change ${reflashOnChange}`
    ),
    ...told.map(({ at_s, text }) => `${at_s.toFixed(1).padStart(6)} ${text}`),
    `${calm_s.toFixed(1).padStart(6)} calm`,
  ];
}

function troubles(
  random: Random,
  boards: readonly PlannedBoard[],
  calmS: number,
): ScenarioEvent[] {
  return Array.from({ length: random.between(1, 4) }, () => {
    const [begin, end] = weightedRow(random, TROUBLES);
    const from = moment(random, 0, calmS - 1.5);
    const to = moment(random, from + 0.3, Math.min(from + 5, calmS - 1));
    const probe = random.chance(0.5) ? random.pick(boards).probe : undefined;
    const event = (at_s: number, word: EventWord): ScenarioEvent => ({
      at_s,
      do: word,
      ...(probe === undefined ? {} : { probe }),
    });
    return end === undefined
      ? [event(from, begin)]
      : [event(from, begin), event(to, end)];
  }).flat();
}

function acts(
  random: Random,
  boards: readonly PlannedBoard[],
  untilS: number,
): Act[] {
  const list = Array.from({ length: random.between(0, 3) }, () => {
    const word = weighted(random, ACTS);
    const board = random.between(0, boards.length - 1);
    const at_s = moment(random, 0.5, untilS);
    const pause_s = random.pick(PAUSES_S);
    const act = { at_s, do: word, board, pause_s };
    if (word !== "release") return [act];
    const end_s = moment(random, at_s, untilS);
    return [act, { ...act, at_s: end_s, do: "take" as const }];
  }).flat();
  return list.sort((a, b) => a.at_s - b.at_s);
}

function probeId(index: number): string {
  return `${DEFAULT_PROBE.id.slice(0, -2)}${10 + index}`;
}

function moment(random: Random, min: number, max: number): number {
  return round(min + (max - min) * random.next());
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

function weighted<T>(
  random: Random,
  list: readonly (readonly [T, number])[],
): T {
  return weightedRow(random, list)[0];
}

/** A row, as often as its last number says. */
function weightedRow<T extends readonly unknown[]>(
  random: Random,
  rows: readonly T[],
): T {
  const weight = (row: T) => Number(row.at(-1));
  let left = random.next() * rows.reduce((sum, row) => sum + weight(row), 0);
  return rows.find((row) => (left -= weight(row)) < 0) ?? rows[0]!;
}
