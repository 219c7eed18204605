/**
 * The InfluxDB sink: each reading a point, written through the v2 API.
 *
 * @module
 */

import { HttpError } from "@influxdata/influxdb-client";
import type { Catalogue } from "../catalogue.ts";
import type { InfluxdbConfig } from "../config/schema.ts";
import type { Finding, Row } from "../model.ts";
import {
  type Answer,
  judgeAnswer,
  otherServer,
  refusesToken,
} from "./influxdb_answers.ts";
import { InfluxdbBatch } from "./influxdb_batch.ts";
import { checkInfluxdb, type Health } from "./influxdb_check.ts";
import { whatAnswers } from "./port_look.ts";
import { type HeardTime, InfluxdbClient } from "./influxdb_client.ts";
import { LineProtocol } from "./line_protocol.ts";
import { Secret } from "./secret.ts";
import {
  type Failure,
  MAX_REASON_LENGTH,
  type Outcome,
  type Sink,
  type SinkCheckOptions,
  SinkError,
  type SinkOpenOptions,
  type SinkSession,
} from "./sink.ts";

/** What the sink needs from the rest of the gateway. */
export interface InfluxdbSinkOptions {
  readonly catalogue: Catalogue;
  /** Microseconds since 1970. */
  readonly now: () => number;
  /** @default {`influxdb.token`, for good} */
  readonly token?: Secret;
  /** Hears what the time is by the `Date` of each answer. */
  readonly serverTime?: (heard: HeardTime) => void;
}

const SAID = {
  passed: "InfluxDB health check passed",
  unsaid: "InfluxDB answers, without a word on its health",
} as const;

/** Writes rows to one bucket. */
export class InfluxdbSink implements Sink {
  readonly name = "influxdb";
  /** `HOST:PORT/ORG/BUCKET`: where the points are. */
  readonly target: string;
  readonly needsTime = true;
  readonly #config: InfluxdbConfig;
  readonly #options: InfluxdbSinkOptions;
  readonly #token: Secret;
  readonly #client: InfluxdbClient;
  readonly #lines: LineProtocol;

  constructor(config: InfluxdbConfig, options: InfluxdbSinkOptions) {
    const { host, pathname } = new URL(config.url);
    this.target = `${host}${
      pathname === "/" ? "" : pathname
    }/${config.org}/${config.bucket}`;
    this.#config = config;
    this.#options = options;
    this.#token = options.token ??
      Secret.fixed(config.token, config.token_file);
    this.#client = new InfluxdbClient(
      config,
      this.#token,
      options.serverTime,
    );
    this.#lines = new LineProtocol(options.catalogue, config.tags);
  }

  /** Asks for the server's health; whether it takes our writes is for the first one to show. */
  async open({ signal }: SinkOpenOptions): Promise<SinkSession> {
    const health = await this.#health(signal);
    if (typeof health === "object") throw new SinkError(health);
    const { url, bucket, max_lines } = this.#config;
    return new InfluxdbSession({
      description: `${SAID[health]}: ${url}, bucket "${bucket}"`,
      maxLines: max_lines,
      lines: this.#lines,
      write: (lines, signal) => this.#write(lines, signal),
    });
  }

  /** Writes lines; a token that is refused is looked for in its file, and tried if it is another one. */
  async #write(
    lines: string,
    signal: AbortSignal,
  ): Promise<Answer | undefined> {
    for (;;) {
      try {
        await this.#client.write(lines, signal);
        return undefined;
      } catch (error) {
        const answer = judgeAnswer(error, this.#config.url, this.#options.now);
        if (answer.kind !== "failure" || !refusesToken(error)) return answer;
        if (signal.aborted || !await this.#token.renew()) {
          const failure = this.#token.refused(answer.failure, "influxdb.token");
          return { kind: "failure", failure };
        }
      }
    }
  }

  /** Any answer of the server tells the time. */
  async askTime(signal: AbortSignal): Promise<void> {
    await this.#health(signal);
  }

  async #health(signal: AbortSignal): Promise<Health> {
    const { url } = this.#config;
    try {
      return judgeHealth(await this.#client.health(signal), url);
    } catch (error) {
      // InfluxDB 3 asks for rights here, and what only takes the write API has no such page.
      if (error instanceof HttpError && [401, 404].includes(error.statusCode)) {
        return "unsaid";
      }
      if (error instanceof SyntaxError) return otherServer(url);
      return failureOf(judgeAnswer(error, url, this.#options.now), url);
    }
  }

  check(options: SinkCheckOptions): AsyncIterable<Finding> {
    const { tags } = this.#config;
    const { now } = this.#options;
    const { signal } = options;
    return checkInfluxdb({
      config: this.#config,
      testLine: () => LineProtocol.testLine(tags, now()),
      writeTestPoint: options.writeTestPoint ?? false,
      health: () => this.#health(signal),
      get: (path) => this.#client.get(path, signal),
      whatAnswers: (host, port) => whatAnswers(host, port, signal),
      write: async (line) => {
        const answer = await this.#write(line, signal);
        return answer && failureOf(answer, this.#config.url);
      },
    });
  }
}

/** Passed for `{"status":"pass"}`, and for the plain OK of VictoriaMetrics. */
function judgeHealth(answer: unknown, url: string): Health {
  if (typeof answer === "string" && answer.trim() === "OK") return "passed";
  if (typeof answer === "object" && answer !== null && "status" in answer) {
    const { status, message } = answer as {
      status: unknown;
      message?: unknown;
    };
    if (status === "pass") return "passed";
    const words = `${status}${message === undefined ? "" : `, ${message}`}`
      .slice(0, MAX_REASON_LENGTH);
    return {
      kind: "retry",
      message: `InfluxDB at ${url} is not healthy: "${words}"`,
    };
  }
  return otherServer(url);
}

/** The failure that an answer is to a request that holds no line of ours to blame. */
function failureOf(answer: Answer, url: string): Failure {
  if (answer.kind === "failure") return answer.failure;
  return {
    kind: "blocked",
    message: `InfluxDB at ${url} refuses: ${
      answer.message.slice(0, MAX_REASON_LENGTH)
    }`,
    hint: 'Correct "influxdb.url"',
  };
}

/**
 * The least that a batch may hold, however few lines a request may: a line that is refused is given up
 * only once another line of its batch is accepted, and with one line a batch there is no other.
 */
const LEAST_READINGS = 100;

/**
 * From one request to the next, in milliseconds, where points come a few at a time: a request costs far
 * more than the points in it.
 */
const PACE_MS = 20;

interface InfluxdbSessionOptions {
  readonly description: string;
  readonly maxLines: number;
  readonly lines: LineProtocol;
  /** Undefined when all are stored. */
  readonly write: (
    lines: string,
    signal: AbortSignal,
  ) => Promise<Answer | undefined>;
}

class InfluxdbSession implements SinkSession {
  readonly maxReadings: number;
  readonly maxBatches = 1;
  readonly paceMs = PACE_MS;
  readonly description: string;
  /** HTTP has no link that could go. */
  readonly closed = new Promise<Failure>(() => {});
  readonly #options: InfluxdbSessionOptions;
  readonly #controller = new AbortController();
  #delivery: Promise<Outcome> | undefined;

  constructor(options: InfluxdbSessionOptions) {
    this.#options = options;
    this.maxReadings = Math.max(options.maxLines, LEAST_READINGS);
    this.description = options.description;
  }

  deliver(rows: readonly Row[]): Promise<Outcome> {
    const { lines, maxLines, write } = this.#options;
    this.#delivery = new InfluxdbBatch(rows, lines).deliver(
      (text) => write(text, this.#controller.signal),
      maxLines,
    );
    return this.#delivery;
  }

  /** Stops the request that is under way; its lines stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#delivery;
  }
}
