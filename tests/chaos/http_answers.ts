/**
 * A scripted HTTP server that gives the answers which VictoriaMetrics cannot give, as InfluxDB gives
 * them (or something in its place).
 *
 * @module
 */

interface ScriptedAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `/health` says that all is well: only the write is refused. @default {true} */
  readonly healthy?: boolean;
  /** Only requests with more bytes than this are answered so; the others reach the real server. */
  readonly aboveBytes?: number;
}

/** By name; none of them takes a point, and none of them may cost one. */
const ANSWERS = {
  "429 Retry-After": {
    status: 429,
    body: json("too many requests", "org is over its write quota"),
    headers: { "retry-after": "1" },
  },
  "503 Retry-After": {
    status: 503,
    body: json("unavailable", "queue is full"),
    headers: { "retry-after": "1" },
  },
  "500": { status: 500, body: json("internal error", "unexpected fault") },
  "500 plain": { status: 500, body: "panic", healthy: false },
  "413": {
    status: 413,
    body: json("request too large", "cannot read data: points are too large"),
    aboveBytes: 300,
  },
  "401": {
    status: 401,
    body: json("unauthorized", "unauthorized access"),
  },
  "403": {
    status: 403,
    body: json("forbidden", "insufficient permissions for write"),
  },
  "404": {
    status: 404,
    body: json("not found", 'bucket "telemetry" not found'),
  },
  "captive portal": {
    status: 200,
    body: "<html><body>Please log in</body></html>",
    headers: { "content-type": "text/html" },
    healthy: false,
  },
  "redirect": {
    status: 302,
    body: "",
    headers: { location: "http://127.0.0.1:4/login" },
    healthy: false,
  },
} satisfies Record<string, ScriptedAnswer>;

/** One of the answers. */
export type AnswerName = keyof typeof ANSWERS;

/** The names of all answers. */
export const ANSWER_NAMES = Object.keys(ANSWERS) as AnswerName[];

/** Answers on `port` of 127.0.0.1 until it is disposed, in the place of the server at `url`. */
export function serveAnswer(
  name: AnswerName,
  { port, url }: { readonly port: number; readonly url: string },
): AsyncDisposable {
  const answer: ScriptedAnswer = ANSWERS[name];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen() {} },
    async (request) => {
      // Read whole, as a server does: the client must not take the answer for a broken link.
      const body = await request.bytes();
      const { pathname, search } = new URL(request.url);
      if (pathname === "/health" && answer.healthy !== false) {
        return Response.json({ name: "influxdb", status: "pass" });
      }
      if (body.length <= (answer.aboveBytes ?? -1)) {
        const { status } = await fetch(url + pathname + search, {
          method: request.method,
          headers: request.headers,
          body,
        });
        return new Response(null, { status });
      }
      return new Response(answer.body, {
        status: answer.status,
        headers: {
          "content-type": "application/json",
          // Else a connection of the client would outlive this server.
          connection: "close",
          ...answer.headers,
        },
      });
    },
  );
  return {
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
    },
  };
}

function json(code: string, message: string): string {
  return JSON.stringify({ code, message });
}
