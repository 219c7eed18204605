/**
 * Time that passes only when something happens: every timer of the process is an event in one queue.
 *
 * - Events happen in the order of their times, those of the same time in the order of their making;
 *   all promises that an event settles have run before the next one. Nothing else decides the order,
 *   so a seed repeats a run exactly.
 * - An event belongs to whoever made it, or was running when it was made. What belongs to somebody who
 *   was killed never happens.
 *
 * @module
 */

/** Whom events belong to: the simulated world itself, or one run of the gateway. */
export interface Owner {
  readonly name: string;
  alive: boolean;
}

/** Something that will happen. */
interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly what: string;
  readonly owner: Owner;
  action: (() => void) | undefined;
}

/** A timer that was longer than this ends at once, in Deno as in browsers. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const macrotask = globalThis.setImmediate;

/** The clock and the events to come. */
export class VirtualTime {
  /** The world itself. */
  readonly world: Owner = { name: "world", alive: true };
  /** Who is running. */
  owner: Owner = this.world;
  /** What the wall clock is ahead of the monotonic one, in milliseconds. */
  wallOffsetMs = 1_700_000_000_000;
  /** Sees each event before it happens. */
  onEvent: (what: string, owner: Owner) => void = () => {};
  #nowMs = 0;
  #made = 0;
  /** A binary heap, the next event first. */
  readonly #heap: Event[] = [];

  /** Milliseconds since the world began; no step of the wall clock moves it. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Milliseconds since 1970 by the wall clock, whole as `Date.now` has them. */
  get wallMs(): number {
    return Math.floor(this.wallOffsetMs + this.#nowMs);
  }

  /** Has `action` happen in `delayMs`; returns how to prevent it. */
  after(
    delayMs: number,
    what: string,
    action: () => void,
    owner = this.owner,
  ): () => void {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const event: Event = { atMs, order: this.#made++, what, owner, action };
    this.#push(event);
    return () => event.action = undefined;
  }

  /** Comes after `delayMs`. */
  wait(delayMs: number, what: string): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, what, resolve));
  }

  /** Runs until `done`, looked at after each event, or until nothing is left to happen. */
  async run(done: () => boolean): Promise<void> {
    while (!done()) {
      const event = this.#pop();
      if (event === undefined) return;
      const { action, owner } = event;
      if (action === undefined || !owner.alive) continue;
      event.action = undefined;
      this.#nowMs = event.atMs;
      this.owner = owner;
      this.onEvent(event.what, owner);
      action();
      // A macrotask of the real world comes only when no promise is left to be settled.
      await new Promise((resolve) => macrotask(resolve));
      this.owner = this.world;
    }
  }

  /** What `owner` still has to come. */
  left(owner: Owner): string[] {
    return this.#heap
      .filter((event) => event.owner === owner && event.action !== undefined)
      .map(({ what }) => what);
  }

  /** Puts this time in the place of the process's timers and clocks until it is disposed. */
  install(random: () => number): Disposable {
    const timer =
      (what: string) =>
      (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
        const delayMs = ms > LONGEST_TIMER_MS ? 1 : Math.max(ms, 0.001);
        return { stop: this.after(delayMs, what, () => run(...args)) };
      };
    const stop = (timer: { stop(): void } | undefined) => timer?.stop();
    const fakes: [object, Record<string, unknown>][] = [
      [globalThis, {
        setTimeout: timer("timer"),
        clearTimeout: stop,
        setImmediate: (run: () => void) => ({
          stop: this.after(0, "immediate", run),
        }),
        clearImmediate: stop,
        setInterval: (run: () => void, ms: number) => this.#interval(run, ms),
        clearInterval: stop,
      }],
      [performance, { now: () => this.#nowMs }],
      [Date, { now: () => this.wallMs }],
      [Math, { random }],
    ];
    const real = fakes.map(([target, replaced]) => {
      const before = Object.fromEntries(
        Object.keys(replaced).map((
          key,
        ) => [key, Object.getOwnPropertyDescriptor(target, key)]),
      );
      for (const [key, value] of Object.entries(replaced)) {
        Object.defineProperty(target, key, {
          value,
          writable: true,
          configurable: true,
        });
      }
      return [target, before] as const;
    });
    return {
      [Symbol.dispose]() {
        for (const [target, before] of real) {
          for (const [key, descriptor] of Object.entries(before)) {
            delete (target as Record<string, unknown>)[key];
            if (descriptor !== undefined) {
              Object.defineProperty(target, key, descriptor);
            }
          }
        }
      },
    };
  }

  #interval(run: () => void, ms: number): { stop(): void } {
    const interval = { stop: () => {} };
    const next = () => {
      interval.stop = this.after(ms, "interval", () => {
        next();
        run();
      });
    };
    next();
    return { stop: () => interval.stop() };
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (
        child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)
      ) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs ||
    (one.atMs === other.atMs && one.order < other.order);
}
