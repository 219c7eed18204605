/**
 * What the broker was told, topic by topic: in which order the values may come, and which one it may
 * retain.
 *
 * @module
 */

import { keyOf, placeOfTopic, readMessage } from "./place.ts";
import type { Published } from "./simulated_broker.ts";
import type { SinkSetup } from "./sink_setup.ts";

/** Options for {@linkcode Topics}. */
export interface TopicsOptions {
  /** A promise is broken. */
  fail(what: string): void;
  /** Whether messages go out in order and none is lost on the way: not at QoS 0. */
  readonly ordered: boolean;
  /** Whether the journal may give up rows that are not delivered. */
  readonly mayEvict: boolean;
  /** Whether the wall clock never steps. */
  readonly steady: boolean;
  /** Whether a packet may come for the first time behind newer ones, after a rewind. */
  mayBeLate(target: string, number: number): boolean;
}

/** See the module's text. */
export class Topics {
  readonly #options: TopicsOptions;
  #ordered: boolean;
  /** By topic: what was published to it, and the highest of that. */
  readonly #published = new Map<
    string,
    { seen: Set<number>; highest: number }
  >();
  readonly #retained = new Map<string, number>();
  /** By target and key: what the broker did not take. */
  readonly #turnedAway = new Set<string>();
  /** Whether old values may have been left out. */
  #leavesOut = false;
  #replay: SinkSetup["replay"] = "all";
  /** Whether the run before this one had another mode. */
  #isOtherReplay = false;
  /** Whether this run of the gateway has been connected to the broker. */
  #hasConnected = false;

  constructor(options: TopicsOptions) {
    this.#options = options;
    this.#ordered = options.ordered;
  }

  /** Whether old values may have been left out. */
  get leavesOut(): boolean {
    return this.#leavesOut;
  }

  /** All that were published to. */
  get names(): Iterable<string> {
    return this.#published.keys();
  }

  /** Whether the broker has once not taken a reading. */
  wasTurnedAway(target: string, key: string): boolean {
    return this.#turnedAway.has(`${target} ${key}`);
  }

  /** The gateway was killed, or could not write its last commit. */
  crashed(): void {
    // What it gave up in its last moment is there again, behind what was delivered meanwhile.
    if (this.#options.mayEvict) this.#ordered = false;
  }

  /** The gateway was started anew. */
  restarted({ replay }: Pick<SinkSetup, "replay">): void {
    this.#leavesOut ||= replay === "latest";
    this.#isOtherReplay = replay !== this.#replay;
    this.#replay = replay;
    this.#hasConnected = false;
    this.#forgetOrder();
  }

  /** The broker hears the gateway: what an earlier run had on its way has all come, or never will. */
  connected(): void {
    if (this.#hasConnected) return;
    this.#hasConnected = true;
    this.#forgetOrder();
  }

  /** The broker has a message. */
  published(message: Published): void {
    const { fail, steady, mayBeLate } = this.#options;
    const { topic, retain } = message;
    const { target, place, past, number } = readMessage(message);
    let log = this.#published.get(topic);
    if (log === undefined) {
      log = { seen: new Set(), highest: 0 };
      this.#published.set(topic, log);
    }
    const wasRefused = this.wasTurnedAway(target, keyOf(number, place));
    // After a boot a clock that was set back may take for live what was too old before.
    const isLiveAgain = this.#leavesOut && !steady;
    if (
      this.#ordered && !isLiveAgain && !log.seen.has(number) &&
      number < log.highest && !wasRefused && !mayBeLate(target, number)
    ) {
      fail(`${topic}: ${number} came first after ${log.highest}`);
    }
    log.seen.add(number);
    // What was set aside may come before the past.
    if (!wasRefused) log.highest = Math.max(log.highest, number);
    if (!retain) return;
    if (past) fail(`${topic}: ${number} is retained there`);
    const before = this.#retained.get(topic) ?? 0;
    if (number < before) {
      fail(
        `${topic}: the retained value goes back from ${before} to ${number}`,
      );
    }
    this.#retained.set(topic, number);
  }

  /** The broker does not take a message: if it does later, that is out of its turn. */
  notPublished(message: Published): void {
    const { target, place, number } = readMessage(message);
    this.#turnedAway.add(`${target} ${keyOf(number, place)}`);
  }

  /** The broker has forgotten what it retained. */
  forgotten(): void {
    this.#retained.clear();
  }

  /**
   * After a start the order of a topic may begin anew: another mode may send there what went elsewhere,
   * or nowhere. Of what went ahead of the past some may have been forgotten, and now be the past; after
   * a boot the clock may take the past for live.
   */
  #forgetOrder(): void {
    for (const [topic, log] of this.#published) {
      const { past } = placeOfTopic(topic);
      if (this.#isOtherReplay || past || this.#replay === "live_first") {
        log.highest = 0;
      }
    }
  }
}
