/**
 * Tells of packets that are given up because the journal is full: the first loss at once, then one
 * line a minute for each sink with all that went in it, and one when it is over.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";

/** A stretch of packets that a sink has not had and will not get. */
export interface Loss {
  readonly readings: number;
  /** The first and last packet's seq. */
  readonly first: number;
  readonly last: number;
  /** Their times, microseconds since 1970. */
  readonly fromUs: number;
  readonly toUs: number;
}

interface Episode {
  total: number;
  /** What has not been told yet. */
  untold: Loss | null;
  /** Whether anything was lost since the last minute. */
  fresh: boolean;
}

/** Tells of what the sinks lose. */
export class Losses {
  readonly #log = getLogger(["gateway", "journal"]);
  readonly #episodes = new Map<string, Episode>();

  /** `sink` loses a stretch, the next one behind those before. */
  add(sink: string, loss: Loss): void {
    const episode = this.#episodes.get(sink);
    if (episode === undefined) {
      this.#episodes.set(sink, {
        total: loss.readings,
        untold: null,
        fresh: true,
      });
      this.#tell(sink, loss);
      return;
    }
    const { untold } = episode;
    episode.total += loss.readings;
    episode.fresh = true;
    episode.untold = untold === null ? loss : {
      ...loss,
      readings: untold.readings + loss.readings,
      first: untold.first,
      fromUs: untold.fromUs,
    };
  }

  /** Another minute is over. */
  minute(): void {
    for (const [sink, episode] of this.#episodes) {
      if (episode.untold !== null) this.#tell(sink, episode.untold);
      episode.untold = null;
      if (!episode.fresh) {
        this.#log.warn(
          "The journal has room again: {total} readings in all that {sink} has not had were given up",
          { total: episode.total, sink },
        );
        this.#episodes.delete(sink);
      }
      episode.fresh = false;
    }
  }

  /** Tells what is left to tell. */
  close(): void {
    for (const [sink, { untold }] of this.#episodes) {
      if (untold !== null) this.#tell(sink, untold);
    }
    this.#episodes.clear();
  }

  #tell(sink: string, { readings, first, last, fromUs, toUs }: Loss): void {
    this.#log.error(
      "The journal is full: {readings} readings that {sink} has not had are given up (packets {first} to {last}, of {from} to {to})",
      { readings, sink, first, last, from: timeOf(fromUs), to: timeOf(toUs) },
    );
  }
}

function timeOf(us: number): string {
  return new Date(us / 1000).toISOString();
}
