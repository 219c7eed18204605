/**
 * One batch of rows on its way to a broker: what is to be sent next, and what became of each reading.
 *
 * Before and after every call: `left` readings are not settled; a row is done when each of its
 * readings was accepted, rejected or parked. Rows are sent in order and may be settled in any.
 *
 * @module
 */

import type { Reading, Row } from "../model.ts";
import { describeReason, judgeRefusal, PUBLISH_HINT } from "./mqtt_answers.ts";
import {
  type Failure,
  MAX_REASON_LENGTH,
  type Outcome,
  type Refusal,
} from "./sink.ts";

/** Options for {@linkcode MqttBatch}. */
export interface MqttBatchOptions {
  /**
   * `past`: it goes to the topics of the past; `restated`: newest values that the broker is told again,
   * all retained, and no refusal counts.
   *
   * @default {"live"}
   */
  readonly kind?: "live" | "past" | "restated";
}

/** The rows of one `deliver`. */
export class MqttBatch {
  readonly rows: readonly Row[];
  readonly kind: "live" | "past" | "restated";
  /** Readings that are not settled. */
  left = 0;
  readonly #outcome = Promise.withResolvers<Outcome>();
  /** Unsettled readings of each row. */
  readonly #leftOf: number[];
  readonly #rejected: { index: number; refusal: Refusal }[] = [];
  readonly #forbidden: { index: number; refusal: Refusal }[] = [];
  readonly #parked: { index: number; refusal: Refusal }[] = [];
  /** Row by row, so many of its readings a newer value stands for. */
  readonly #superseded: number[] = [];
  #accepted = 0;
  /** First row with a reading that the broker could not take now. */
  #firstKept = Infinity;
  #failure: Failure | undefined;
  #nextRow = 0;
  #nextReading = 0;

  constructor(rows: readonly Row[], options: MqttBatchOptions = {}) {
    this.rows = rows;
    this.kind = options.kind ?? "live";
    this.#leftOf = rows.map((row) => row.readings.length);
    for (const count of this.#leftOf) this.left += count;
  }

  /** Comes with {@linkcode finish}. */
  get outcome(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  /** Why the rest of the batch must wait: the broker could not take a message now. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** Names the first row that is not settled; the same in every batch that holds it. */
  get head(): string | undefined {
    const row = this.rows[this.#leftOf.findIndex((left) => left > 0)];
    return row === undefined ? undefined : this.#nameOf(row);
  }

  /** Names a reading; the same in every batch that holds it. */
  keyOf(index: number, { path }: Reading): string {
    return `${this.#nameOf(this.rows[index]!)} ${path}`;
  }

  /** A value that is told again is another message than the row's. */
  #nameOf({ seq, readings }: Row): string {
    return this.kind === "restated"
      ? `restated ${seq} ${readings[0]?.path}`
      : `${seq}`;
  }

  /** Index of the row that holds the next reading to send; −1 when all are sent. */
  nextRow(): number {
    while (this.#nextRow < this.rows.length) {
      if (this.#nextReading < this.rows[this.#nextRow]!.readings.length) {
        return this.#nextRow;
      }
      this.#nextRow++;
      this.#nextReading = 0;
    }
    return -1;
  }

  /** The next reading of the row that {@linkcode nextRow} has named. */
  takeReading(): Reading {
    return this.rows[this.#nextRow]!.readings[this.#nextReading++]!;
  }

  /** The broker has this reading. */
  accept(index: number): void {
    this.#accepted++;
    this.#settle(index);
  }

  /** A newer value stands for this reading. */
  supersede(index: number): void {
    this.#superseded[index] = (this.#superseded[index] ?? 0) + 1;
    this.#settle(index);
  }

  /** Sending this reading again would change nothing. */
  reject(index: number, reading: Reading, reason: string): void {
    const row = this.rows[index]!;
    this.#rejected.push({
      index,
      refusal: { row, reading, reason: reason.slice(0, MAX_REASON_LENGTH) },
    });
    this.#settle(index);
  }

  /** Set aside unsent, whatever becomes of the others. */
  park(index: number, reading: Reading, reason: string): void {
    const row = this.rows[index]!;
    this.#parked.push({ index, refusal: { row, reading, reason } });
    this.#settle(index);
  }

  /** The broker refused this reading with an MQTT 5 reason code. */
  refuse(index: number, reading: Reading, code: number): void {
    if (this.kind === "restated") return this.#settle(index);
    const reason = `The broker refuses this message: ${describeReason(code)}`;
    const verdict = judgeRefusal(code);
    if (verdict === "reject") return this.reject(index, reading, reason);
    if (verdict === "park") {
      this.#forbidden.push({
        index,
        refusal: { row: this.rows[index]!, reading, reason },
      });
    } else {
      this.#failure ??= { kind: "retry", message: reason };
      this.#firstKept = Math.min(this.#firstKept, index);
    }
    this.#settle(index);
  }

  #settle(index: number): void {
    this.left--;
    this.#leftOf[index]!--;
  }

  /**
   * Ends the batch and says what became of it.
   *
   * @param failure why it ends before everything is settled
   * @returns why rows stay, if some do
   */
  finish(failure?: Failure): Failure | undefined {
    // What is forbidden is set aside only where something else is allowed; else all of it is kept.
    const park = this.#accepted > 0;
    const kept = park ? [] : this.#forbidden.map(({ index }) => index);
    const firstLeft = this.left === 0
      ? -1
      : this.#leftOf.findIndex((left) => left > 0);
    const done = Math.min(
      firstLeft === -1 ? this.rows.length : firstLeft,
      this.#firstKept,
      ...kept,
    );
    const upToDone = (refusals: { index: number; refusal: Refusal }[]) =>
      refusals.filter(({ index }) => index < done).map(({ refusal }) =>
        refusal
      );
    const superseded = this.#superseded.slice(0, done)
      .reduce((sum, count) => sum + count, 0);
    const stays = done === this.rows.length
      ? undefined
      : this.#failure ?? failure ?? forbidden(this.#forbidden[0]!.refusal);
    this.#outcome.resolve({
      done,
      rejected: upToDone(this.#rejected),
      parked: upToDone(
        park ? [...this.#parked, ...this.#forbidden] : this.#parked,
      ),
      ...(superseded === 0 ? {} : { superseded }),
      ...(stays === undefined ? {} : { failure: stays }),
    });
    return stays;
  }

  /** Ends the batch with none of its rows done: rows before it stay. */
  abandon(failure: Failure): void {
    this.#outcome.resolve({ done: 0, rejected: [], parked: [], failure });
  }
}

function forbidden({ reason }: Refusal): Failure {
  return {
    kind: "blocked",
    message: `Every message is forbidden here. ${reason}`,
    hint: PUBLISH_HINT,
  };
}
