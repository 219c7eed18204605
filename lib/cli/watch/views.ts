/**
 * How `iiot-gateway watch` shows what comes: as a table that is written over, as lines, or as objects.
 *
 * @module
 */

import { counted } from "../../counted.ts";
import { hintOf } from "../../sink/mqtt_answers.ts";
import type { WatchState } from "../../sink/mqtt_watcher.ts";
import { LiveScreen, type LiveScreenOptions } from "../terminal/live_screen.ts";
import { PacedLines } from "../terminal/paced_lines.ts";
import { watchTable } from "./table.ts";
import type { MessageReader, WatchedMessage } from "./watched_message.ts";
import { WatchedTopics } from "./watched_topics.ts";

/** What is watched, for those who look. */
export interface WatchSubject {
  /** `iiot/#`, with a comma between several. */
  readonly filters: string;
  /** What to look at while nothing comes. */
  readonly advice: readonly string[];
}

/** Shows what comes. */
export interface WatchDisplay extends AsyncDisposable {
  onMessage(message: WatchedMessage): void;
  onState(state: WatchState): void;
}

/** A table is written at most so often, in milliseconds, and lines too. */
const INTERVAL_MS = 100;
/** Ages grow. */
const TICK_MS = 1000;
/** So long nothing may come before that is worth a word, in milliseconds. */
const PATIENCE_MS = 5000;

/** Options for {@linkcode TableDisplay}. */
export interface TableDisplayOptions extends LiveScreenOptions {
  readonly subject: WatchSubject;
  readonly reader: MessageReader;
  readonly color: boolean;
}

/** Each topic's newest value, in a table that is written over. */
export class TableDisplay implements WatchDisplay {
  readonly #options: TableDisplayOptions;
  readonly #screen: LiveScreen;
  readonly #topics = new WatchedTopics();
  readonly #tick: ReturnType<typeof setInterval>;
  #state: WatchState = { kind: "connecting" };
  /** When the next attempt begins. */
  #dueMs = 0;
  #drawnMs = -Infinity;
  #drawing: ReturnType<typeof setTimeout> | undefined;

  constructor(options: TableDisplayOptions) {
    this.#options = options;
    this.#screen = new LiveScreen(options);
    this.#tick = setInterval(() => this.update(), TICK_MS);
  }

  onMessage(message: WatchedMessage): void {
    this.#topics.take(message, performance.now());
    this.update();
  }

  onState(state: WatchState): void {
    // While it is tried again the cause stays to be read.
    const isRetry = state.kind === "connecting" &&
      this.#state.kind === "waiting";
    if (!isRetry) this.#state = state;
    this.#dueMs = performance.now() +
      (state.kind === "waiting" ? state.pauseMs : 0);
    this.update();
  }

  /** Draws soon. */
  update(): void {
    const waitMs = this.#drawnMs + INTERVAL_MS - performance.now();
    if (waitMs <= 0) this.#draw();
    else this.#drawing ??= setTimeout(() => this.#draw(), waitMs);
  }

  /** Leaves the terminal to others until `resume`. */
  suspend(): void {
    this.#screen.suspend();
  }

  /** Takes it again. */
  resume(): void {
    this.#screen.resume();
    this.update();
  }

  /** Leaves the last table there. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#draw();
    clearInterval(this.#tick);
    clearTimeout(this.#drawing);
    this.#screen[Symbol.dispose]();
    return Promise.resolve();
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    const ms = this.#drawnMs = performance.now();
    const { reader, color } = this.#options;
    const { columns, rows } = this.#screen.size;
    this.#screen.draw(watchTable({
      ...this.#head(ms),
      topics: this.#topics.sorted(),
      nameOf: (topic) => reader.below(topic),
      ms,
      timeOfDayMs: Date.now(),
    }, { columns: columns - 1, rows, color }));
  }

  #head(ms: number) {
    const { filters, advice } = this.#options.subject;
    const { size, passedOver } = this.#topics;
    if (this.#state.kind === "waiting") {
      const leftMs = this.#dueMs - ms;
      const next = leftMs > 0
        ? `Tries again in ${Math.ceil(leftMs / 1000)} s`
        : "Tries again now";
      return {
        status: this.#state.failure.message,
        isDown: true,
        notes: [`${remedyOf(this.#state)}. ${next}`],
      };
    }
    if (this.#state.kind === "connecting") {
      return { status: `Connects for ${filters} …`, isDown: false, notes: [] };
    }
    const { description } = this.#state;
    const rate = this.#topics.rate(ms);
    const parts = [
      `${filters} at ${description}`,
      size > 0 && counted(size, "topic"),
      size > 0 && `${rate.toFixed(rate < 10 ? 1 : 0)} messages/s`,
      passedOver > 0 && `${passedOver} messages of further topics not shown`,
      "Ctrl-C ends it",
    ].filter((part) => part !== false);
    const notes = size > 0 ? [] : advice;
    return { status: parts.join(" · "), isDown: false, notes };
  }
}

/** Options for {@linkcode LineDisplay}. */
export interface LineDisplayOptions {
  readonly subject: WatchSubject;
  /** Makes a line of a message; `time` is RFC 3339, of its coming. */
  format(message: WatchedMessage, time: string): string;
  write(text: string): Promise<void>;
  /** Takes a line for people. */
  say(line: string): void;
  /** Nobody reads any more. */
  onGone(error: unknown): void;
}

/** A line for each message. */
export class LineDisplay implements WatchDisplay {
  readonly #options: LineDisplayOptions;
  readonly #lines: PacedLines;
  /** Runs from the first connection to the first message. */
  #patience: ReturnType<typeof setTimeout> | undefined;
  #hasCome = false;
  #said = "";

  constructor(options: LineDisplayOptions) {
    const { say } = options;
    this.#options = options;
    this.#lines = new PacedLines({
      ...options,
      intervalMs: INTERVAL_MS,
      onLeftOut: (count) =>
        say(
          `Left out ${count} messages: what is written here is not read fast enough`,
        ),
    });
  }

  onMessage(message: WatchedMessage): void {
    this.#hasCome = true;
    clearTimeout(this.#patience);
    this.#lines.add(this.#options.format(message, new Date().toISOString()));
  }

  onState(state: WatchState): void {
    const { say, subject } = this.#options;
    if (state.kind === "connected") {
      this.#said = "";
      say(`Watches ${subject.filters} at ${state.description}`);
      this.#patience ??= this.#hasCome ? undefined : setTimeout(
        () => subject.advice.forEach((line) => say(line)),
        PATIENCE_MS,
      );
    }
    if (state.kind !== "waiting" || state.failure.message === this.#said) {
      return;
    }
    const { failure } = state;
    this.#said = failure.message;
    say(
      `${failure.message}. To do: ${hintOf(failure)}. It goes on trying`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#patience);
    await this.#lines[Symbol.asyncDispose]();
  }
}

function remedyOf(
  { failure, isLost }: WatchState & { kind: "waiting" },
): string {
  return isLost && failure.kind === "retry"
    ? "Nothing is to be done if the broker comes back"
    : `To do: ${hintOf(failure)}`;
}

/** Time, topic, value, unit and flags, a tab between them. */
export function plainLine(message: WatchedMessage, time: string): string {
  const { topic, text, unit, isRetained, isStored, isHistorical } = message;
  const flags = [
    isRetained && "retained",
    isStored && "stored",
    isHistorical && "historical",
  ].filter((one) => one !== false).join(",");
  return [time, topic, text, unit ?? "", flags].join("\t").trimEnd();
}

/** The same as an object. */
export function jsonLine(message: WatchedMessage, time: string): string {
  const { topic, value, unit, isRetained, isStored, isHistorical, happened } =
    message;
  return JSON.stringify({
    time,
    topic,
    value,
    unit,
    retained: isRetained,
    stored: isStored,
    historical: isHistorical,
    ...(happened === undefined ? {} : { happened }),
  });
}
