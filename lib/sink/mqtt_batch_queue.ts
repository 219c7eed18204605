/**
 * The batches under way on one connection: sent, and finished, in the order in which they came.
 *
 * @module
 */

import type { MqttBatch } from "./mqtt_batch.ts";
import type { Failure } from "./sink.ts";

/** See the module's text. */
export class MqttBatchQueue {
  #batches: MqttBatch[] = [];
  /** How many of them have nothing left to send. */
  #sent = 0;

  add(batch: MqttBatch): void {
    this.#batches.push(batch);
  }

  /** The first batch with a row to send. */
  get unsent(): MqttBatch | undefined {
    for (; this.#sent < this.#batches.length; this.#sent++) {
      const batch = this.#batches[this.#sent]!;
      if (batch.nextRow() !== -1) return batch;
    }
    return undefined;
  }

  /** Names the oldest row that is not settled. */
  get head(): string | undefined {
    return this.#batches[0]?.head;
  }

  isOldest(batch: MqttBatch): boolean {
    return batch === this.#batches[0];
  }

  /** Finishes settled batches up to one of which rows stay, and gives the reason for that. */
  finishSettled(): Failure | undefined {
    while (this.#batches[0]?.left === 0) {
      const stays = this.#batches.shift()!.finish();
      this.#sent = Math.max(0, this.#sent - 1);
      if (stays !== undefined) return stays;
    }
    return undefined;
  }

  /** Ends all batches: up to the first that is not settled with what they have, the rest with nothing. */
  finishAll(failure: Failure): void {
    const batches = this.#batches;
    this.#batches = [];
    this.#sent = 0;
    let stays: Failure | undefined;
    for (const batch of batches) {
      if (stays === undefined) stays = batch.finish(failure);
      else batch.abandon(failure);
    }
  }
}
