/**
 * The alarm that a value does not come: watches while the board's program runs, and says so in the log.
 *
 * @module
 */

import type { Catalogue } from "../catalogue.ts";
import { formatDuration } from "../duration.ts";
import { getBoardLogger } from "./board_log.ts";
import { ExpectedValues, type MissedValue } from "./expected_values.ts";
import type { SourcedPacket } from "./telemetry_stream.ts";

/** A value that does not come, by the topic that it goes to. */
export interface MissedTopic extends Omit<MissedValue, "path"> {
  readonly topic: string;
}

/** Options for {@linkcode ValueAlarm}. */
export interface ValueAlarmOptions {
  readonly catalogue: Catalogue;
  /** Where values stood that came before this process. @default {none} */
  readonly knownPaths?: readonly string[] | undefined;
  /** The topic of a path. */
  topicOf(path: string): string;
  /** The board is just being programmed, and can say nothing. */
  isProgramming(): boolean;
  /** Called when a value is told to be missed, and when it is back. */
  onChange?(): void;
  /** Milliseconds that only grow. */
  now(): number;
  /** Resolves after `ms`, or early, without an error, when `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

const log = getBoardLogger("source");

/** Listens to one board. */
export class ValueAlarm {
  readonly #options: ValueAlarmOptions;
  readonly #values: ExpectedValues;

  constructor(options: ValueAlarmOptions) {
    this.#options = options;
    this.#values = new ExpectedValues(
      options.catalogue,
      options.knownPaths,
    );
  }

  /** Values that are missed now. */
  get missed(): MissedTopic[] {
    return this.#values.missed(this.#options.now()).map((one) =>
      this.#name(one)
    );
  }

  /** Telemetry came. */
  hear(packets: readonly SourcedPacket[]): void {
    if (this.#values.isEmpty) return;
    const nowMs = this.#options.now();
    for (const { packet } of packets) {
      for (const { path } of packet.readings) {
        const back = this.#values.heard(nowMs, path);
        if (back === undefined) continue;
        const { topic, forMs } = this.#name(back);
        log.info('"{topic}" comes again after {time}', {
          topic,
          time: formatDuration(forMs),
        });
        this.#options.onChange?.();
      }
    }
  }

  /** Watches the program that has just been started, until this is disposed. */
  watch(): AsyncDisposable {
    const ended = new AbortController();
    const watching = this.#values.isEmpty
      ? undefined
      : this.#lookUntil(ended.signal);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#values.stopped(this.#options.now());
        ended.abort();
        await watching;
      },
    };
  }

  async #lookUntil(ended: AbortSignal): Promise<void> {
    const { isProgramming, now, wait } = this.#options;
    this.#values.excuse(now());
    for (;;) {
      const wasProgramming = isProgramming();
      await wait(this.#values.untilNextLookMs(now()), ended);
      if (ended.aborted) return;
      if (wasProgramming) {
        this.#values.excuse(now());
        continue;
      }
      const missed = this.#values.look(now());
      for (const one of missed) {
        const { topic, forMs, everyMs } = this.#name(one);
        log.warning(
          '"{topic}" has not come for {time}, though it is expected every {interval}. To do: look at what the firmware sends, or correct "expect_interval_s" of its [[metric]]',
          {
            topic,
            time: formatDuration(forMs),
            interval: formatDuration(everyMs),
          },
        );
      }
      if (missed.length > 0) this.#options.onChange?.();
    }
  }

  #name({ path, ...rest }: MissedValue): MissedTopic {
    return { topic: this.#options.topicOf(path), ...rest };
  }
}
