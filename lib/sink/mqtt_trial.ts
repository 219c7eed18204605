/**
 * Finds the message that kills the link, over as many sessions as that takes.
 *
 * A link may drop for many reasons, and a message that was under way is not guilty for that. So:
 *
 * 1. Two losses in a row with the same row at the head raise the suspicion: the next messages go one
 *    at a time, each right after a PINGRESP.
 * 2. A message is proven guilty when the link dropped within 2 s after it three times of three, and
 *    the next message passes. It alone is rejected.
 * 3. Where the next message drops the link as well, no message is guilty: the broker refuses us.
 *
 * A topic of which two messages were condemned, and none has passed since, is shut for five minutes:
 * what comes for it is set aside unsent, so that the rest flows.
 *
 * @module
 */

/** Losses in a row with the same head that raise the suspicion. */
const SUSPICIOUS_LOSSES = 2;
/** So often a message must have dropped the link, and never have passed. */
const TRIES = 3;
/** A link that drops later than this did not drop for the message, in milliseconds. */
const AT_ONCE_MS = 2_000;
/** Messages that go one at a time after a suspicion, while none is found guilty or innocent. */
const CAREFUL_MESSAGES = 500;
/** Messages that still go one at a time behind it: its neighbours may be no better. */
const CAREFUL_NEIGHBOURS = 50;
/** Condemned messages of one topic, none having passed in between, that shut it. */
const SHUTTING = 2;
const SHUT_MS = 300_000;

/** A message as far as it can be suspected. */
export interface SuspectMessage {
  /** The same at each attempt, and of no other message. */
  readonly key: string;
  readonly topic: string;
}

/** What to do with a message. */
export type MessageVerdict =
  | "send"
  /** Guilty. */
  | "reject"
  /** Its topic is shut. */
  | "park"
  /** Guilty if another one passes now. */
  | "hold";

/** What the loss of a session means. */
export type LossMeaning =
  | "unexplained"
  /** A message is on trial for it. */
  | "suspected"
  /** Different messages drop the link. */
  | "any message";

/** The trial of one sink's messages, over its sessions. */
export class MqttTrial {
  readonly #now: () => number;
  #head: string | undefined;
  #losses = 0;
  #carefulFor = 0;
  /** How the keys begin of the messages that are suspected first. */
  #near = "";
  #suspect: SuspectMessage & { drops: number } | undefined;
  #guilty: SuspectMessage | undefined;
  /** By topic: messages condemned since one has passed, and until when it is shut. */
  readonly #topics = new Map<string, { condemned: number; untilMs: number }>();

  /** `now` gives milliseconds of a clock that never steps. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether messages go one at a time, each right after a PINGRESP. */
  get careful(): boolean {
    return this.#carefulFor > 0;
  }

  /** Whether nothing is known against anyone: neither verdicts nor passed messages matter. */
  get idle(): boolean {
    return !this.careful && this.#suspect === undefined &&
      this.#guilty === undefined && this.#topics.size === 0;
  }

  /** What to do with a message that is next. */
  judge({ key, topic }: SuspectMessage): MessageVerdict {
    if (key === this.#guilty?.key) return "reject";
    if (this.#now() < (this.#topics.get(topic)?.untilMs ?? 0)) return "park";
    const isProven = key === this.#suspect?.key && this.#suspect.drops >= TRIES;
    return isProven ? "hold" : "send";
  }

  /** The guilty message was rejected. */
  condemned({ topic }: SuspectMessage): void {
    this.#guilty = undefined;
    this.#relax();
    const condemned = 1 + (this.#topics.get(topic)?.condemned ?? 0);
    const untilMs = condemned >= SHUTTING ? this.#now() + SHUT_MS : 0;
    this.#topics.set(topic, { condemned, untilMs });
  }

  /** The broker has taken a message. */
  passed({ key, topic }: SuspectMessage): void {
    this.#carefulFor = Math.max(0, this.#carefulFor - 1);
    if (key.startsWith(this.#near)) this.#relax();
    this.#topics.delete(topic);
    if (key === this.#suspect?.key) this.#suspect = undefined;
    else if (this.#suspect !== undefined && this.#suspect.drops >= TRIES) {
      this.#guilty = this.#suspect;
      this.#suspect = undefined;
    }
  }

  /**
   * A session was lost while messages were sent as ever.
   *
   * @param head names the oldest row that was not acknowledged; undefined when nothing was under way
   */
  lost(head: string | undefined): LossMeaning {
    // In a careful session nothing was under way: the link flaps.
    if (this.careful) return "unexplained";
    const again = head !== undefined && head === this.#head;
    this.#losses = again ? this.#losses + 1 : 1;
    this.#head = head;
    if (this.#losses < SUSPICIOUS_LOSSES) return "unexplained";
    this.#beCareful(`${head} `);
    return "suspected";
  }

  /** A session was lost `ms` milliseconds after `message` was sent alone. */
  dropped(message: SuspectMessage, ms: number): LossMeaning {
    const suspect = this.#suspect;
    this.#head = undefined;
    this.#suspect = undefined;
    if (ms > AT_ONCE_MS) return "unexplained";
    this.#beCareful(message.key);
    const topic = this.#topics.get(message.topic);
    if (topic !== undefined && topic.condemned >= SHUTTING) {
      topic.untilMs = this.#now() + SHUT_MS;
      return "suspected";
    }
    if (suspect !== undefined && suspect.key !== message.key) {
      this.#carefulFor = 0;
      return "any message";
    }
    this.#suspect = { ...message, drops: 1 + (suspect?.drops ?? 0) };
    return "suspected";
  }

  /** A session ended because the broker fell silent: that is another fault than a drop. */
  silent(): void {
    this.#suspect = undefined;
  }

  #beCareful(near: string): void {
    this.#near = near;
    this.#carefulFor = CAREFUL_MESSAGES;
  }

  #relax(): void {
    this.#carefulFor = Math.min(this.#carefulFor, CAREFUL_NEIGHBOURS);
  }
}
