/**
 * InfluxDB behind `fetch`: the client library, its deadlines and our reading of its answers are real.
 *
 * @module
 */

import { gunzipSync } from "node:zlib";
import type { Random } from "./random.ts";
import type { Swarm } from "./swarm.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** A point as it was sent. */
export interface Point {
  readonly bucket: string;
  /** Measurement and tags. */
  readonly series: string;
  readonly value: number;
  /** Microseconds since 1970. */
  readonly timeUs: number;
  readonly line: string;
}

/** What the database needs of its world. */
export interface SimulatedDatabaseOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly swarm: Swarm;
  tell(what: string, ...details: (string | number)[]): void;
  /** What is wrong with a line that the database never takes. */
  faultOf(point: Point): "syntax" | "type" | undefined;
  onStored(point: Point): void;
  /** The client has been told that the points are stored, or that the first of them is refused. */
  onAnswered(points: readonly Point[], outcome: "stored" | "refused"): void;
}

interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly retryAfter?: string;
  /** What the client learns with it. */
  readonly told?: () => void;
}

/** The database. */
export class SimulatedDatabase {
  /** Whether it still makes faults of itself. */
  faulty = true;
  up = true;
  /** It blames every line for a fault of its own, from the next look at its health on. */
  mad = false;
  #isMad = false;
  readonly #options: SimulatedDatabaseOptions;

  constructor(options: SimulatedDatabaseOptions) {
    this.#options = options;
  }

  /** In place of `fetch`. */
  fetch = (url: string, init: RequestInit): Promise<Response> => {
    const { time, random, swarm } = this.#options;
    const { owner } = time;
    const answer = Promise.withResolvers<Response>();
    const signal = init.signal!;
    signal.addEventListener("abort", () => answer.reject(signal.reason));
    const takesMs = () => random.around(swarm.database.answerMs / 2);
    const fail = (what: string) =>
      time.after(
        takesMs(),
        `fetch: ${what}`,
        () => answer.reject(new TypeError(what)),
        owner,
      );
    time.after(takesMs(), "database: request", () => {
      const fault = this.#fault();
      if (fault === "hang") return;
      if (fault === "down") return fail("connection refused");
      const answered = this.#answer(new URL(url), init);
      if (fault === "answer lost") return fail("connection reset");
      time.after(takesMs(), `fetch: ${answered.status}`, () => {
        if (signal.aborted) return;
        answered.told?.();
        answer.resolve(toResponse(answered));
      }, owner);
    }, time.world);
    return answer.promise;
  };

  #fault(): "hang" | "down" | "answer lost" | undefined {
    const { random, swarm: { database }, tell } = this.#options;
    if (!this.up) return "down";
    if (!this.faulty) return undefined;
    if (random.chance(database.hangs)) {
      tell("database: hangs");
      return "hang";
    }
    if (random.chance(database.losesAnswer)) {
      tell("database: the answer is lost");
      return "answer lost";
    }
    return undefined;
  }

  #answer(url: URL, init: RequestInit): Answer {
    const { random, swarm: { database }, tell } = this.#options;
    if (this.faulty && random.chance(database.captive)) {
      tell("database: another server answers in its place");
      return { status: 200, body: "<html>Log in</html>" };
    }
    if (this.faulty && random.chance(database.refuses)) {
      const status = random.pick([401, 403, 404, 429, 500, 503]);
      tell("database: answers", status);
      const retryAfter = random.chance(0.5) ? "3" : undefined;
      return {
        status,
        body: JSON.stringify({ message: "not now" }),
        ...(retryAfter === undefined ? {} : { retryAfter }),
      };
    }
    if (url.pathname === "/health") {
      this.#isMad = this.mad;
      return { status: 200, body: `{"status":"pass"}` };
    }
    return this.#write(url.searchParams.get("bucket")!, textOf(init.body));
  }

  #write(bucket: string, text: string): Answer {
    const { swarm: { database }, faultOf, onStored, onAnswered, tell } =
      this.#options;
    const points = text.split("\n").map((line) => parseLine(bucket, line));
    if (this.#isMad) {
      tell("database: blames the first line");
      const message = `unable to parse '${points[0]!.line}': out of sorts`;
      return { status: 400, body: JSON.stringify({ message }) };
    }
    if (points.length > database.mostLines) {
      return { status: 413, body: `{"message":"too large"}` };
    }
    const bad = points.find((point) => faultOf(point) === "syntax");
    if (bad !== undefined) {
      return {
        status: 400,
        body: JSON.stringify({
          message: `unable to parse '${bad.line}': invalid number`,
        }),
        told: () => onAnswered([bad], "refused"),
      };
    }
    const [good, conflicting] = [
      points.filter((point) => faultOf(point) === undefined),
      points.filter((point) => faultOf(point) !== undefined),
    ];
    tell("database: stores", good.length, "points");
    for (const point of good) onStored(point);
    if (conflicting.length === 0) {
      return { status: 204, told: () => onAnswered(points, "stored") };
    }
    return {
      status: 422,
      body: JSON.stringify({
        message:
          `failure writing points to database: partial write: field type conflict dropped=${conflicting.length}`,
      }),
      told: () => onAnswered(conflicting, "refused"),
    };
  }
}

function textOf(body: unknown): string {
  return typeof body === "string"
    ? body
    : gunzipSync(body as Uint8Array).toString();
}

function parseLine(bucket: string, line: string): Point {
  const [series, field, time] = line.split(" ");
  return {
    bucket,
    series: series!,
    value: Number(field!.slice("value=".length)),
    timeUs: Number(time),
    line,
  };
}

/** As much of a response as the client library looks at, and nothing that waits for the real world. */
function toResponse({ status, body = "", retryAfter }: Answer): Response {
  const headers = new Map([
    ["content-type", "application/json; charset=utf-8"],
  ]);
  if (retryAfter !== undefined) headers.set("retry-after", retryAfter);
  return {
    status,
    statusText: "",
    headers,
    body: null,
    text: () => Promise.resolve(body),
    json: () => new Promise((resolve) => resolve(JSON.parse(body))),
    arrayBuffer: () => Promise.resolve(new ArrayBuffer(0)),
  } as unknown as Response;
}
