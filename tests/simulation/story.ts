/**
 * What happens in a world, in words for who asks, and as one number for everybody.
 *
 * @module
 */

import { configureSync, resetSync } from "@logtape/logtape";
import type { Owner, VirtualTime } from "./virtual_time.ts";

/** Steps that say nothing by themselves. */
const DULL = /^(timer|immediate|interval|disk: \w+ answers)$/;

/** The story of one seed. */
export class Story {
  /** One line for each thing that happened; none where nobody asked for them. */
  readonly lines: string[] = [];
  readonly #told: boolean;
  readonly #time: VirtualTime;
  #hash = 0;

  constructor(told: boolean, time: VirtualTime) {
    this.#told = told;
    this.#time = time;
  }

  /** The same for the same steps at the same times: 32 bits, unsigned. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  /** Something happens. */
  tell(what: string, ...details: (string | number)[]): void {
    if (!this.#told) return;
    const seconds = (this.#time.nowMs / 1000).toFixed(6).padStart(12);
    this.lines.push([seconds, what, ...details].join(" "));
  }

  /** The next event is about to happen. */
  step(what: string, owner: Owner): void {
    this.#fold(Math.round(this.#time.nowMs * 1000));
    this.#fold(what.length);
    if (this.#told && !DULL.test(what)) this.tell(`(${owner.name}) ${what}`);
  }

  /** Tells what the gateway logs, until it is disposed. */
  listenToLog(): Disposable {
    if (this.#told) {
      configureSync({
        reset: true,
        sinks: {
          story: ({ category, level, message }) =>
            this.tell(
              `log: ${level} ${category.slice(1).join(" ")}: ${
                message.join("")
              }`,
            ),
        },
        loggers: [
          { category: [], sinks: ["story"], lowestLevel: "debug" },
          { category: ["logtape", "meta"], lowestLevel: "fatal" },
        ],
      });
    }
    return { [Symbol.dispose]: () => this.#told && resetSync() };
  }

  #fold(number: number): void {
    this.#hash = Math.imul(this.#hash ^ number, 0x01000193);
  }
}
