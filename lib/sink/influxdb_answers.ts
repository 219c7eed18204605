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
  /** Nothing is stored for sure, and a line does not parse: the one that is quoted, or those named. */
  | {
    readonly kind: "bad_line";
    readonly message: string;
    readonly named: readonly NamedLine[];
  }
  /** Everything is stored but points that the server counts, not always rightly. */
  | {
    readonly kind: "partial";
    readonly message: string;
    /** What the server's clock showed, in microseconds since 1970. */
    readonly serverUs: number;
  }
  /** Nothing is stored: the request is too long. */
  | { readonly kind: "too_large"; readonly message: string };

/** A line that InfluxDB 3 names by its place in the request. */
export interface NamedLine {
  /** 0 is the first line. */
  readonly index: number;
  readonly message: string;
}

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
  return { kind: "failure", failure: noAnswer(error, url) };
}

/** Whether another token could change the answer. */
export function refusesToken(error: unknown): boolean {
  return error instanceof HttpError && [401, 403].includes(error.statusCode);
}

const OTHER_SERVER_HINT =
  'Correct "influxdb.url", or log in to the network that answers in its place';

/** Something that is no InfluxDB answers: the log-in page of a network, or another program. */
export function otherServer(url: string): Failure {
  return {
    kind: "blocked",
    message: `What answers at ${url} is not InfluxDB`,
    hint: OTHER_SERVER_HINT,
  };
}

function judgeStatus(error: HttpError, url: string, now: () => number): Answer {
  const { statusCode: status, body } = error;
  const words = wordsOf(error);
  const message = (words ?? plainWordsOf(body)).slice(0, MAX_REASON_LENGTH);
  if (status === 413) {
    return { kind: "too_large", message: message || "Request too large" };
  }
  // Only InfluxDB itself can say that a line is to blame; others answer 400 and 422 too.
  const partial = words?.includes("partial write") ?? false;
  if (status === 400 && words !== undefined) {
    const named = namedLines(error);
    if (partial || words.startsWith("unable to parse '") || named.length > 0) {
      // Whole: the line that it quotes may be long.
      return { kind: "bad_line", message: words, named };
    }
  }
  if (status === 422 && partial) {
    return { kind: "partial", message, serverUs: clockOf(error, now) };
  }
  const said = message === "" ? String(status) : `${status}, "${message}"`;
  const text = `InfluxDB at ${url} answers ${said}`;
  // An answer that broke off may have been another one.
  const cut = body === undefined && status >= 400;
  if (status === 408 || status === 429 || status >= 500 || cut) {
    const afterMs = retryAfterMs(error, now);
    const failure: Failure = afterMs === undefined
      ? { kind: "retry", message: text }
      : { kind: "retry", message: text, afterMs };
    return { kind: "failure", failure };
  }
  return {
    kind: "failure",
    failure: {
      kind: "blocked",
      message: status < 400 ? `${text}${elsewhere(error)}` : text,
      ...adviceFor(status, message, body ?? "", url),
    },
  };
}

/** What InfluxDB says in its JSON; undefined where the body is none of its own. */
function wordsOf({ json }: HttpError): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { message, error } = json as { message?: unknown; error?: unknown };
  if (typeof message === "string") return message;
  return typeof error === "string" ? error : undefined; // InfluxDB 3
}

/** What another program says, if it says it in few words and not as a page. */
function plainWordsOf(body: string | undefined): string {
  const text = body?.trim() ?? "";
  return text.length <= 200 && !/[<{\n]/.test(text) ? text : "";
}

/** The lines that InfluxDB 3 names: up to a hundred, `line_number` counted from 1. */
function namedLines({ json }: HttpError): NamedLine[] {
  const { data } = json as { data?: unknown };
  return [data].flat().flatMap((one) => {
    const { line_number: number, error_message: message } = (one ?? {}) as {
      line_number?: unknown;
      error_message?: unknown;
    };
    return typeof number === "number" && typeof message === "string"
      ? [{ index: number - 1, message }]
      : [];
  });
}

/** Where a redirect leads, without what may be secret in the address. */
function elsewhere({ headers }: HttpError): string {
  const location = headers?.["location"];
  if (typeof location !== "string" || !URL.canParse(location)) return "";
  const { protocol, host } = new URL(location);
  return ` and sends us to ${protocol}//${host}`;
}

/** The address with the other scheme, as a line for config.toml. */
export function urlLine(url: string, scheme: "http" | "https"): string {
  return `url = ${JSON.stringify(url.replace(/^https?:/, `${scheme}:`))}`;
}

function adviceFor(
  status: number,
  message: string,
  body: string,
  url: string,
): { readonly hint: string; readonly fix?: readonly string[] } {
  if (status === 401) {
    return {
      hint:
        'Set "influxdb.token" to a token that this server knows: its web page has them under "API Tokens", and the command makes one there',
      fix: ["influx auth create --all-access", 'token = "…"'],
    };
  }
  if (/HTTP request (was sent )?to (an )?HTTPS/i.test(body)) {
    return {
      hint: 'Begin "influxdb.url" with https://',
      fix: [urlLine(url, "https")],
    };
  }
  return { hint: hintFor(status, message) };
}

function hintFor(status: number, message: string): string {
  if (status < 400) return OTHER_SERVER_HINT;
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

/** What the server's clock shows, by its `Date` header; ours where it sends none. */
function clockOf({ headers }: HttpError, now: () => number): number {
  const date = headers?.["date"];
  const ms = typeof date === "string" ? Date.parse(date) : NaN;
  return Number.isNaN(ms) ? now() : ms * 1_000;
}

/** The pause that the server asks for (RFC 9110, section 10.2.3: seconds, or a date by its clock). */
function retryAfterMs(error: HttpError, now: () => number): number | undefined {
  const value = error.headers?.["retry-after"];
  if (typeof value !== "string") return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const at = Date.parse(value);
  return Number.isNaN(at)
    ? undefined
    : Math.max(0, Math.ceil(at - clockOf(error, now) / 1_000));
}

/** No answer at all: a network that fails passes, a certificate that does not fit stays. */
function noAnswer(error: unknown, url: string): Failure {
  const words = describe(error);
  const certificate = /invalid peer certificate: (.*)/.exec(words)?.[1];
  if (certificate !== undefined) {
    return {
      kind: "blocked",
      message:
        `The certificate of InfluxDB at ${url} is not accepted: ${certificate}`,
      hint:
        "See that host name and clock are right; for a certificate authority of this machine set the environment variable DENO_TLS_CA_STORE to system",
    };
  }
  if (words.includes("InvalidContentType")) {
    return {
      kind: "blocked",
      message: `What answers at ${url} does not speak TLS`,
      hint: 'Begin "influxdb.url" with http://, or let the server speak TLS',
      fix: [urlLine(url, "http")],
    };
  }
  return {
    kind: "retry",
    message: `InfluxDB at ${url} does not answer: ${words}`,
  };
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
