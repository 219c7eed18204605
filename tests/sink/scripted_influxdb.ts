/**
 * A server that answers writes as InfluxDB 2.8.0 did when each case was tried, or as the test says.
 *
 * @module
 */

import { gunzipSync } from "node:zlib";
import { NOW_US } from "./given.ts";

/** What the server is like; everything is optional. */
export interface InfluxdbScript {
  /** Answers in place of all below; undefined leaves it to them. */
  readonly answer?: (request: WriteRequest) => Response | undefined;
  /** Why this line does not parse. */
  readonly badLine?: (line: string) => string | undefined;
  /** Whether the field of this line has another type than before. */
  readonly conflicts?: (line: string) => boolean;
  /** Points older than this many microseconds since 1970 are outside of a retention of 1 h. */
  readonly oldestUs?: number;
  /** What its clock shows, in microseconds since 1970; NaN: nonsense. @default {NOW_US} */
  readonly clockUs?: number;
  /** Answers what else is asked for; undefined: 404. @default {404 for all} */
  readonly get?: (url: URL) => Response | undefined;
  /** Answer to `/health`. @default {the one of a healthy InfluxDB} */
  readonly health?: () => Response;
}

/** A request to `/api/v2/write`. */
export interface WriteRequest {
  readonly lines: readonly string[];
  readonly headers: Headers;
  readonly query: URLSearchParams;
}

/** A running scripted server. */
export interface ScriptedInfluxdb extends AsyncDisposable {
  readonly url: string;
  /** Lines that it holds. */
  readonly stored: ReadonlySet<string>;
  readonly requests: readonly WriteRequest[];
  readonly healthHeaders: readonly Headers[];
}

/** An error as InfluxDB sends it. */
export function errorAnswer(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ code, message }, {
    status,
    headers: { "x-platform-error-code": code, ...headers },
  });
}

/** Starts a server on a free port of 127.0.0.1. */
export function startScriptedInfluxdb(
  script: InfluxdbScript = {},
): ScriptedInfluxdb {
  const stored = new Set<string>();
  const requests: WriteRequest[] = [];
  const healthHeaders: Headers[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const url = new URL(request.url);
      if (url.pathname === "/health") {
        healthHeaders.push(request.headers);
        return script.health?.() ??
          Response.json({ name: "influxdb", status: "pass" });
      }
      if (url.pathname !== "/api/v2/write") {
        return script.get?.(url) ?? new Response("Not found", { status: 404 });
      }
      const body = await request.arrayBuffer().catch(() => undefined);
      if (body === undefined) return new Response(null, { status: 500 });
      const bytes = new Uint8Array(body);
      const text = new TextDecoder().decode(
        request.headers.get("content-encoding") === "gzip"
          ? gunzipSync(bytes)
          : bytes,
      );
      const lines = text === "" ? [] : text.split("\n");
      const write = {
        lines,
        headers: request.headers,
        query: url.searchParams,
      };
      requests.push(write);
      const answer = script.answer?.(write) ?? store(lines, script, stored);
      const { clockUs = NOW_US } = script;
      answer.headers.set("date", new Date(clockUs / 1_000).toUTCString());
      return answer;
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    stored,
    requests,
    healthHeaders,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function store(
  lines: readonly string[],
  script: InfluxdbScript,
  stored: Set<string>,
): Response {
  for (const line of lines) {
    const why = script.badLine?.(line);
    if (why !== undefined) {
      return errorAnswer(400, "invalid", `unable to parse '${line}': ${why}`);
    }
  }
  const { conflicts = () => false, oldestUs = -Infinity } = script;
  const conflicting = lines.filter(conflicts);
  const old = lines.filter((line) => Number(line.split(" ").at(-1)) < oldestUs);
  for (const line of lines) {
    if (!conflicting.includes(line) && !old.includes(line)) stored.add(line);
  }
  const unprocessable = (what: string) =>
    errorAnswer(
      422,
      "unprocessable entity",
      `failure writing points to database: partial write: ${what}`,
    );
  if (conflicting.length > 0) {
    const measurement = conflicting[0]!.split(",")[0];
    return unprocessable(
      `field type conflict: input field "value" on measurement "${measurement}" is type float, already exists as type string dropped=1`,
    );
  }
  if (old.length > 0) {
    return unprocessable(
      `dropped ${old.length} points outside retention policy of duration 1h0m0s - oldest point ${
        old[0]
      } dropped=1`,
    );
  }
  return new Response(null, { status: 204 });
}
