/**
 * Logging, configured once; rooms call LogTape's `getLogger(["gateway", "room"])`.
 *
 * - Lines go to stderr, and nobody waits for them: where stderr does not keep up (a full pipe, a slow
 *   serial console), lines are dropped, counted, and the count is said once it does again.
 * - One record is one line, whatever the firmware puts into it: control characters, line ends and
 *   the marks that turn the direction of text are escaped.
 * - The configuration's secrets are hidden in messages, properties and errors.
 *
 * @module
 */

import {
  configure,
  fromAsyncSink,
  type LogRecord,
  reset,
} from "@logtape/logtape";
import { counted } from "./counted.ts";
import { createLineFormatter } from "./log_line.ts";

/** Options for {@linkcode configureLog}. */
export interface ConfigureLogOptions {
  /** The least severe level that is written. At `debug` errors show their stack. */
  readonly level: "debug" | "info" | "warning" | "error";
  /**
   * `text`: local time, level, room, message, then what the message leaves out, for people.
   * `json`: an object a line, with `time` (RFC 3339, UTC), `level`, `category`, `message` and
   * `properties`.
   */
  readonly format: "text" | "json";
  /** Texts to hide wherever they stand, as written and as they stand in a URL. */
  readonly secrets: readonly string[];
  /** Takes one line with its end; resolves when it can take more. @default {to stderr} */
  readonly write?: (line: Uint8Array) => Promise<void>;
  /**
   * How long disposing may take in milliseconds: a stalled pipe would hold the process for ever.
   *
   * @default {2000}
   */
  readonly deadlineMs?: number;
}

/** Lines that wait while stderr does not keep up. */
const MAX_WAITING_LINES = 2000;

/** The log of the process. */
export interface Log extends AsyncDisposable {
  /** Hides one more text from now on. */
  hide(secret: string): void;
}

/**
 * Configures logging for the whole process, in colours where stderr is a terminal. Disposing writes
 * what still waits, within the deadline.
 */
export async function configureLog(
  options: ConfigureLogOptions,
): Promise<Log> {
  const { write = writeToStderr, deadlineMs = 2000 } = options;
  const secrets = [...options.secrets];
  const createFormatter = () =>
    createLineFormatter({
      ...options,
      secrets,
      color: write === writeToStderr && Deno.stderr.isTerminal() &&
        !Deno.noColor,
      showStack: options.level === "debug",
    });
  let line = createFormatter();
  const encoder = new TextEncoder();
  let dropped = 0;

  async function writeRecord(record: LogRecord): Promise<void> {
    try {
      await write(encoder.encode(line(record) + "\n"));
      if (dropped === 0) return;
      const count = dropped;
      dropped = 0;
      await write(encoder.encode(line(droppedRecord(count)) + "\n"));
    } catch {
      // stderr itself is gone (its reader ended): there is nowhere left to say so.
    }
  }

  const stderr = fromAsyncSink(writeRecord, {
    maxQueueSize: MAX_WAITING_LINES,
    overflow: "drop-newest",
    onDrop: ({ count }) => void (dropped += count),
  });
  await configure({
    reset: true,
    sinks: { stderr },
    loggers: [
      { category: [], sinks: ["stderr"], lowestLevel: options.level },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });

  return {
    hide(secret) {
      if (secrets.includes(secret)) return;
      secrets.push(secret);
      line = createFormatter();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, deadlineMs);
      try {
        await Promise.race([reset(), promise]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

async function writeToStderr(line: Uint8Array): Promise<void> {
  for (let written = 0; written < line.length;) {
    written += await Deno.stderr.write(line.subarray(written));
  }
}

function droppedRecord(count: number): LogRecord {
  const message = `Dropped ${
    counted(count, "line")
  } of this log because stderr did not keep up`;
  return {
    category: ["log"],
    level: "warning",
    timestamp: Date.now(),
    message: [message],
    rawMessage: message,
    properties: {},
  };
}
