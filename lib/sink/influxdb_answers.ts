/**
 * What InfluxDB's answers mean for us.
 *
 * Sources: the API of InfluxDB 2.x, and what InfluxDB 2.8.0 answered when each case was tried.
 *
 * @module
 */

import { HttpError } from "@influxdata/influxdb-client";
import { UnexpectedSuccess } from "./influxdb_client.ts";
import { type Failure, MAX_REASON_LENGTH } from "./sink.ts";

/** What became of a request. */
export type Answer =
  /** Nothing is stored, and no line is to blame. */
  | { readonly kind: "failure"; readonly failure: Failure }
  /** Nothing is stored, and one line does not parse. */
  | { readonly kind: "bad_line"; readonly message: string }
  /** Everything is stored but points that the server names or counts, not always rightly. */
  | { readonly kind: "partial"; readonly message: string }
  /** Nothing is stored: the request is too long. */
  | { readonly kind: "too_large"; readonly message: string };

/** Judges what {@linkcode InfluxdbClient} threw. `now` gives microseconds since 1970. */
export function judgeAnswer(
  error: unknown,
  url: string,
  now: () => number,
): Answer {
  if (error instanceof HttpError) return judgeStatus(error, url, now);
  if (error instanceof UnexpectedSuccess) {
    return { kind: "failure", failure: otherServer(url) };
  }
  const message = `InfluxDB at ${url} does not answer: ${describe(error)}`;
  return { kind: "failure", failure: { kind: "retry", message } };
}

/** Something that is no InfluxDB answers: the log-in page of a network, or another program. */
export function otherServer(url: string): Failure {
  return {
    kind: "blocked",
    message: `What answers at ${url} is not InfluxDB`,
    hint:
      'Correct "influxdb.url", or log in to the network that answers in its place',
  };
}

function judgeStatus(error: HttpError, url: string, now: () => number): Answer {
  const { statusCode: status } = error;
  const words = wordsOf(error);
  // Only InfluxDB itself can say that a line is to blame; others answer 400 too.
  const message = (words ?? "").slice(0, MAX_REASON_LENGTH);
  if (status === 413) {
    return { kind: "too_large", message: message || "Request too large" };
  }
  const partial = words?.includes("partial write") ?? false;
  if (status === 400 && (partial || words?.startsWith("unable to parse '"))) {
    // Whole: the line that it quotes may be long.
    return { kind: "bad_line", message: words! };
  }
  if (status === 422 && partial) return { kind: "partial", message };
  const said = message === "" ? String(status) : `${status}, "${message}"`;
  const text = `InfluxDB at ${url} answers ${said}`;
  if (status === 429 || status >= 500) {
    const afterMs = retryAfterMs(error, now);
    const failure: Failure = afterMs === undefined
      ? { kind: "retry", message: text }
      : { kind: "retry", message: text, afterMs };
    return { kind: "failure", failure };
  }
  const hint = hintFor(status, message);
  return { kind: "failure", failure: { kind: "blocked", message: text, hint } };
}

/** What InfluxDB says in its JSON; undefined where the body is none of its own. */
function wordsOf({ json }: HttpError): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { message, error } = json as { message?: unknown; error?: unknown };
  if (typeof message === "string") return message;
  return typeof error === "string" ? error : undefined; // InfluxDB 3
}

function hintFor(status: number, message: string): string {
  if (status === 401) {
    return 'Set "influxdb.token" to a token that this server knows';
  }
  if (status === 403) {
    return 'Give the token of "influxdb.token" the right to write to the bucket of "influxdb.bucket"';
  }
  if (status === 404 && message.startsWith("organization")) {
    return 'Set "influxdb.org" to an organization that this server has';
  }
  if (status === 404 && message.startsWith("bucket")) {
    return 'Create the bucket at the server, or correct "influxdb.bucket"';
  }
  return 'Correct "influxdb.url", "influxdb.org" and "influxdb.bucket": it must lead to InfluxDB 2.x or what takes its write API';
}

/** The pause that the server asks for (RFC 9110, section 10.2.3: seconds, or a date). */
function retryAfterMs(
  { headers }: HttpError,
  now: () => number,
): number | undefined {
  const value = headers?.["retry-after"];
  if (typeof value !== "string") return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const at = Date.parse(value);
  return Number.isNaN(at)
    ? undefined
    : Math.max(0, Math.ceil(at - now() / 1_000));
}

/** The error's words without the request's address, which the message already has. */
function describe(error: unknown): string {
  // What is worth reading stands in the innermost cause, behind the layers it came through.
  let innermost = error;
  while (innermost instanceof Error && innermost.cause !== undefined) {
    innermost = innermost.cause;
  }
  const text = innermost instanceof Error
    ? innermost.message
    : String(innermost);
  return text
    .replace(/ for url \([^)]*\)/, "")
    .replace(/^error sending request: client error \(\w+\): /, "")
    .slice(0, MAX_REASON_LENGTH);
}
