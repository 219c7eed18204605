/**
 * Notices a server that takes everything and acknowledges nothing, with one timer for all messages.
 *
 * @module
 */

/** Options for {@linkcode AckDeadline}. */
export interface AckDeadlineOptions {
  /** Silence of this length is too long, in seconds. */
  readonly timeoutS: number;
  /** Look at least this often, in seconds. */
  readonly tickS: number;
  /** Whether an acknowledgement is awaited. */
  readonly waiting: () => boolean;
  /** Called at a look that finds that acknowledgements came. */
  readonly onProgress: () => void;
  /** Called once, and the deadline watches no more. */
  readonly onSilence: () => void;
}

/** A deadline that moves on with each acknowledgement; its timer runs only while one is awaited. */
export class AckDeadline {
  readonly #options: AckDeadlineOptions;
  readonly #tickS: number;
  #acknowledged = 0;
  #seen = 0;
  #quietTicks = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: AckDeadlineOptions) {
    this.#options = options;
    this.#tickS = Math.min(options.timeoutS / 4, options.tickS);
  }

  /** An acknowledgement came that brings the oldest batch on. */
  progress(): void {
    this.#acknowledged++;
  }

  /** Something was sent that has to be acknowledged. */
  watch(): void {
    if (this.#timer !== undefined) return;
    this.#seen = this.#acknowledged;
    this.#quietTicks = 0;
    this.#tick();
  }

  /** Watches no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    this.#timer = setTimeout(() => this.#look(), this.#tickS * 1_000);
  }

  #look(): void {
    this.#timer = undefined;
    if (!this.#options.waiting()) return;
    if (this.#acknowledged !== this.#seen) {
      this.#seen = this.#acknowledged;
      this.#quietTicks = 0;
      this.#options.onProgress();
    } else if (++this.#quietTicks * this.#tickS >= this.#options.timeoutS) {
      return this.#options.onSilence();
    }
    this.#tick();
  }
}
