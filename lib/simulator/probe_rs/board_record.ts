/**
 * What a bench remembers of a board, and what follows from it.
 *
 * @module
 */

import type { BenchStore } from "./bench_store.ts";
import { eventsOf, lastTime, type Scenario } from "./scenario.ts";

/** What is remembered of a board. */
export interface BoardRecord {
  /** What its flash holds; null: it was never programmed, or not to the end. */
  readonly flash: { readonly sha256: string; readonly at_s: number } | null;
  /** How often it was erased and programmed. */
  readonly flash_cycles: number;
  /** How often it was reset by probe-rs, and when last. */
  readonly resets: number;
  readonly reset_at_s: number | null;
  /** Until when its RTT was read to the last line; null: nobody knows. */
  readonly read_until_s: number | null;
  /** Who reads RTT now, or did so and was killed. */
  readonly holder: { readonly pid: number; readonly blocking: boolean } | null;
  /** Since when its firmware has been frozen, unless it was reset after. */
  readonly frozen_at_s: number | null;
  /** How often its firmware froze. */
  readonly freezes: number;
}

const NEW_BOARD: BoardRecord = {
  flash: null,
  flash_cycles: 0,
  resets: 0,
  reset_at_s: null,
  read_until_s: null,
  holder: null,
  frozen_at_s: null,
  freezes: 0,
};

/** Since when a board's firmware has run, how often it began, and whether it still does. */
export interface FirmwareState {
  readonly booted_at_s: number;
  readonly boots: number;
  /** It panicked, and waits in its panic handler. */
  readonly panicked: boolean;
  /** It waits for somebody to read RTT. */
  readonly frozen: boolean;
  /** What the flash holds; undefined: blank. */
  readonly firmware: string | undefined;
}

/** What `record` and the scenario's events say of a board at `atS`. */
export function firmwareAt(
  scenario: Scenario,
  probe: string,
  record: BoardRecord,
  atS: number,
): FirmwareState {
  const events = eventsOf(scenario, probe);
  const past = events.filter(({ at_s }) => at_s <= atS);
  const boots = past.filter((one) => BOOTS.includes(one.do));
  const bootedAtS = Math.max(
    0,
    record.reset_at_s ?? 0,
    boots.at(-1)?.at_s ?? 0,
  );
  const swapped = lastTime(events, ["blank"], atS);
  const panic = lastTime(events, ["panic"], atS);
  const { flash, frozen_at_s } = record;
  return {
    booted_at_s: bootedAtS,
    boots: boots.length + record.resets,
    panicked: panic !== undefined && panic >= bootedAtS,
    frozen: frozen_at_s !== null && frozen_at_s >= bootedAtS,
    firmware: flash !== null && (swapped ?? -1) < flash.at_s
      ? flash.sha256
      : undefined,
  };
}

/** What makes a board begin anew: another one in its place does, too. */
const BOOTS: readonly string[] = ["reset", "power_on", "blank"];

/** What is left of a board whose reader was killed at `atS`. */
export function afterKill(
  record: BoardRecord,
  atS: number,
): Partial<BoardRecord> {
  const gone = { holder: null, read_until_s: null };
  return record.holder?.blocking
    ? { ...gone, frozen_at_s: atS, freezes: record.freezes + 1 }
    : gone;
}

/** The name that the files of a probe's board begin with. */
export function fileOf(probe: string): string {
  return `probe-${encodeURIComponent(probe)}`;
}

/** What is remembered of the board whose files are called `name`. */
export async function readRecord(
  store: BenchStore,
  name: string,
): Promise<BoardRecord> {
  const text = await store.read(`${name}.json`);
  return text === undefined ? NEW_BOARD : JSON.parse(text) as BoardRecord;
}
