/**
 * What the stand-in needs of the process around it.
 *
 * @module
 */

/** A process, or a test that plays one. */
export interface Outside {
  /** Resolves when it is taken. @throws {Deno.errors.BrokenPipe} if the reader has gone */
  stdout(text: string): Promise<void>;
  stderr(text: string): Promise<void>;
  /** A line of probe-rs's own log, unless `RUST_LOG` keeps it away. */
  log(level: "WARN" | "ERROR", text: string): Promise<void>;
  /** A line of stdin, empty at its end. */
  readLine(): Promise<string>;
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** A variable of the environment. */
  env(name: string): string | undefined;
  /** Milliseconds of the wall clock. */
  now(): number;
  /** Resolves after `ms`, or early, without an error, when `signal` is aborted. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** Until it is disposed a signal calls `listener`, and does not end the process. */
  onSignal(name: "SIGINT" | "SIGTERM", listener: () => void): Disposable;
}
