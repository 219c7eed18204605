/**
 * Requests to InfluxDB through its client library, each with a deadline and without the library's own
 * retries, buffer and redirects.
 *
 * @module
 */

import { InfluxDB, setLogger } from "@influxdata/influxdb-client";
import { gzipSync } from "node:zlib";
import type { InfluxdbConfig } from "../config/schema.ts";
import type { Secret } from "./secret.ts";

/** Bodies below this gain nothing by being compressed, in characters. */
const GZIP_FROM = 1_000;

// Every fault comes back as an error; the library would print it as well.
setLogger({ error() {}, warn() {} });

/** The server answered with success, but not with the 204 that InfluxDB gives: it is not InfluxDB. */
export class UnexpectedSuccess extends Error {
  /** The HTTP status, 200 to 299. */
  readonly status: number;

  constructor(status: number) {
    super(`The server answers ${status} where InfluxDB answers 204`);
    this.name = "UnexpectedSuccess";
    this.status = status;
  }
}

/** What the time is by a server, at the moment its answer begins. */
export interface HeardTime {
  /** The server's. */
  readonly url: string;
  /** Its `Date` header, milliseconds since 1970: whole seconds, cut. */
  readonly dateMs: number;
  /** From the request to the head of the answer. */
  readonly tripMs: number;
}

type Respond = (
  headers: Record<string, unknown>,
  statusCode?: number,
) => void;

interface DecoratedTransport {
  requestDecorator(request: RequestInit): void;
}

/** Requests to the server, organization and bucket of the configuration. */
export class InfluxdbClient {
  readonly #config: InfluxdbConfig;
  readonly #token: Secret;
  readonly #serverTime: (heard: HeardTime) => void;
  readonly #writePath: string;

  /** `serverTime` hears what the time is by each answer. */
  constructor(
    config: InfluxdbConfig,
    token: Secret,
    serverTime: (heard: HeardTime) => void = () => {},
  ) {
    this.#config = config;
    this.#token = token;
    this.#serverTime = serverTime;
    const { org, bucket } = config;
    this.#writePath = `/api/v2/write?org=${encodeURIComponent(org)}&bucket=${
      encodeURIComponent(bucket)
    }&precision=us`;
  }

  /**
   * Writes lines with times in microseconds, an LF between them; `""` is an empty write, which proves
   * token, organization, bucket and the right to write, and writes nothing.
   *
   * Not through the library's WriteApi: with its retries, buffer and timer off it does nothing but go
   * through every character for the size of the batch.
   *
   * @throws {HttpError} if the server answers with anything but success
   * @throws {UnexpectedSuccess} if it answers with another success than 204
   * @throws {Error} if there is no answer within `influxdb.timeout_s`, or `signal` is aborted
   */
  write(lines: string, signal: AbortSignal): Promise<void> {
    return this.#request(signal, async ({ transport }, heard) => {
      let status = 0;
      await transport.request(this.#writePath, lines, {
        method: "POST",
        headers: {
          "content-type": "text/plain; charset=utf-8",
          // The library would parse the body of an answer by its type; there is nothing in it for us.
          accept: "*/*",
        },
      }, (headers, statusCode = 0) => {
        status = statusCode;
        heard(headers);
      });
      if (status !== 204) throw new UnexpectedSuccess(status);
    });
  }

  /**
   * The answer to `GET /health`: parsed where it is JSON, else its text.
   *
   * @throws {HttpError} if the server answers with anything but success
   * @throws {Error} if there is no answer within `influxdb.timeout_s`, or `signal` is aborted
   */
  health(signal: AbortSignal): Promise<unknown> {
    return this.#request(
      signal,
      ({ transport }, heard) =>
        transport.request("/health", "", {
          method: "GET",
          headers: { "content-type": "text/plain" },
        }, heard),
    );
  }

  /**
   * The answer to `GET path`, parsed: what the token may see.
   *
   * @throws {HttpError} if the server answers with anything but success
   * @throws {Error} if there is no answer within `influxdb.timeout_s`, or `signal` is aborted
   */
  get(path: string, signal: AbortSignal): Promise<unknown> {
    return this.#request(
      signal,
      ({ transport }, heard) =>
        transport.request(path, "", { method: "GET" }, heard),
    );
  }

  async #request<T>(
    signal: AbortSignal,
    run: (influxdb: InfluxDB, heard: Respond) => Promise<T>,
  ): Promise<T> {
    const { url, timeout_s } = this.#config;
    const controller = new AbortController();
    const stop = () => controller.abort(new Error("The request was stopped"));
    const timer = setTimeout(
      () => controller.abort(new Error(`No answer within ${timeout_s} s`)),
      timeout_s * 1_000,
    );
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    const influxdb = new InfluxDB({ url, token: this.#token.value });
    const transport = influxdb.transport as unknown as DecoratedTransport;
    transport.requestDecorator = (request) => {
      request.signal = controller.signal;
      // Not followed: the lines and the token are for this server alone.
      request.redirect = "manual";
      if (
        typeof request.body === "string" && request.body.length >= GZIP_FROM
      ) {
        request.headers = {
          ...request.headers as object,
          "content-encoding": "gzip",
        };
        // Level 2 takes a fifth of the default level's time for a fifth more bytes.
        request.body = gzipSync(request.body, { level: 2 });
      }
    };
    const sentMs = performance.now();
    const heard: Respond = ({ date }) => {
      const dateMs = Date.parse(String(date));
      const tripMs = performance.now() - sentMs;
      if (Number.isFinite(dateMs)) this.#serverTime({ url, dateMs, tripMs });
    };
    try {
      return await run(influxdb, heard);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      // The library leaves the body of an answer unread whose type it does not know.
      controller.abort();
    }
  }
}
