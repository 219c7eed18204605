/**
 * One run of a child, from its start until it is gone and all it printed is read.
 *
 * @module
 */

import { describeError } from "../error_text.ts";
import { getBoardLogger } from "./board_log.ts";
import { readErrors } from "./child_errors.ts";
import { ChildPipe } from "./child_pipe.ts";
import { verbatim } from "./firmware_text.ts";
import { signalGroup, withoutOrphans } from "./program.ts";

/** How a child ended. */
export interface ChildExit {
  /** As a shell counts: 128 + signal for one that was killed, 126 for one that cannot be started. */
  readonly code: number;
  /** Its `Error:` line with what caused it, if it printed one. */
  readonly error: string | undefined;
  /** What it said of its end on stdout, if it did. */
  readonly said: string | undefined;
  /** How long it ran. */
  readonly ranMs: number;
}

/** Sees one child after the other. Must come back at once and throw nothing. */
export interface ChildTap {
  started(child: {
    readonly pid: number;
    readonly command: readonly string[];
  }): void;
  /** A piece of stdout or stderr, as it was read. */
  printed(pipe: "out" | "err", bytes: Uint8Array): void;
  /** The child is gone, and all it printed was seen. */
  ended(code: number): void;
}

/** Options for {@linkcode runChild}. */
export interface ChildOptions {
  /** Program and arguments; the program as a path that exists. */
  readonly command: readonly string[];
  /** @default {our own working directory} */
  readonly cwd?: string | undefined;
  /** The child's whole environment, but for `ownEnv`; its PATH is searched for what ties the child to us. */
  readonly env: Readonly<Record<string, string>>;
  /** Goes before `env`. @default {nothing} */
  readonly ownEnv?: Readonly<Record<string, string>> | undefined;
  /** Aborted when the child shall stop. */
  readonly signal: AbortSignal;
  /** From SIGTERM to SIGKILL, in milliseconds. */
  readonly stopTimeoutMs: number;
  /**
   * Reads stdout to its end, and gives what stood there of the child's end. Should it reject, the child
   * is stopped and its output thrown away.
   */
  onStdout(stdout: ReadableStream<Uint8Array>): Promise<string | void>;
  onStart(pid: number): void;
  /** Something came on stdout. */
  onChunk(): void;
  /** Sees each chunk of stdout before that is read. */
  readonly onStdoutChunk?: ((chunk: Uint8Array) => void) | undefined;
  /** Sees each line of stderr. */
  readonly onStderrLine?: ((line: string) => void) | undefined;
  /** Sees the child as well. @default {nobody} */
  readonly tap?: ChildTap | undefined;
  /** Milliseconds that only grow. */
  now(): number;
  /** Resolves after `ms`, or early, without an error, when `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** After the child's end: how long a pipe may give nothing before somebody else must be holding it. */
const SILENCE_MS = 1_000;

const log = getBoardLogger("source");

/** Runs the child once. Does not reject. */
export async function runChild(options: ChildOptions): Promise<ChildExit> {
  const { command, onStdout, onStart, onChunk, tap, now, signal } = options;
  const started = now();
  let child: Deno.ChildProcess;
  try {
    child = await spawn(options);
  } catch (error) {
    return {
      code: 126,
      error: `Cannot start it: ${describeError(error)}`,
      said: undefined,
      ranMs: 0,
    };
  }
  onStart(child.pid);
  tap?.started({ pid: child.pid, command });
  const gone = new AbortController();
  const unread = new AbortController();
  const stopping = stop(
    child,
    AbortSignal.any([signal, unread.signal]),
    gone.signal,
    options,
  );
  const pipes = [
    new ChildPipe(child.stdout, {
      onRead: (bytes) => tap?.printed("out", bytes),
      onChunk: (chunk) => {
        options.onStdoutChunk?.(chunk);
        onChunk();
      },
    }),
    new ChildPipe(child.stderr, {
      onRead: (bytes) => tap?.printed("err", bytes),
    }),
  ] as const;
  const [stdout, stderr] = pipes;
  const reading = onStdout(stdout.readable)
    .catch((error) => {
      log.error(
        verbatim(
          `Cannot take what the child prints, so it is stopped: ${error}`,
        ),
      );
      unread.abort();
    })
    .finally(() => stdout.discard());
  const errors = readErrors(stderr.readable, options.onStderrLine);
  const { code } = await child.status;
  const ranMs = now() - started;
  gone.abort();
  await Promise.all([
    stopping,
    ...pipes.map((pipe) => endPipe(pipe, child.pid, options)),
  ]);
  tap?.ended(code);
  return {
    code,
    error: await errors,
    said: await reading ?? undefined,
    ranMs,
  };
}

async function spawn(
  { command, cwd, env, ownEnv }: ChildOptions,
): Promise<Deno.ChildProcess> {
  const [program = "", ...args] = await withoutOrphans(command, env.PATH ?? "");
  return new Deno.Command(program, {
    args,
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...env, ...ownEnv },
    clearEnv: true,
    // probe-rs asks which of several probes it shall take, and would wait for an answer.
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // A session of its own: Ctrl-C reaches us alone, and we stop the child in order.
    detached: true,
  }).spawn();
}

/** SIGTERM when asked, SIGKILL past the deadline, nothing once the child is `gone`. */
async function stop(
  { pid }: Deno.ChildProcess,
  asked: AbortSignal,
  gone: AbortSignal,
  { stopTimeoutMs, wait }: ChildOptions,
): Promise<void> {
  await aborted(AbortSignal.any([asked, gone]));
  if (gone.aborted) return;
  signalGroup(pid, "SIGTERM");
  await wait(stopTimeoutMs, gone);
  if (gone.aborted) return;
  log.warning(
    `The child did not stop within ${stopTimeoutMs / 1000} s and was killed: ` +
      "the firmware may be frozen until reset",
  );
  signalGroup(pid, "SIGKILL");
}

/**
 * Waits until the pipe is read to its end. What a dead child printed is there at once, so a pipe
 * that is silent is held open by what the child started: that is killed, then let go.
 */
async function endPipe(
  pipe: ChildPipe,
  pid: number,
  { wait }: ChildOptions,
): Promise<void> {
  const ended = new AbortController();
  pipe.ended.then(() => ended.abort());
  const lastResorts = [() => signalGroup(pid, "SIGKILL"), () => pipe.release()];
  while (lastResorts.length > 0) {
    const before = pipe.asking;
    await wait(SILENCE_MS, ended.signal);
    if (ended.signal.aborted) return;
    if (before !== undefined && pipe.asking === before) {
      await lastResorts.shift()?.();
    }
  }
  await pipe.ended;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
