/**
 * Sessions that fail again and again, at each stage that one can fail at: what they leave behind.
 *
 *     deno task reconnects                # 10,000 in all, a line for each stage; exit 1 if one leaks
 *     deno task reconnects 100000
 *
 * @module
 */

import { createServer, type Server, type Socket } from "node:net";
import { keptBytes } from "../heap.ts";
import { DEAD_PORT } from "../servers.ts";
import { startRig } from "./rig.ts";

/** Where a session fails: what the server does with the bytes of a client; absent: none listens. */
export interface Stage {
  readonly sink: "mqtt" | "influxdb";
  readonly name: string;
  readonly serve?: (socket: Socket, bytes: Uint8Array) => void;
}

/** What is left after so many failed sessions, beyond what was there before them. */
export interface Leftover {
  readonly sessions: number;
  /** Open files and sockets of the process. */
  readonly files: number;
  /** Bytes in use on V8's heap. */
  readonly heap: number;
  /** The most listeners that an AbortSignal had at once. */
  readonly listeners: number;
}

const CONNACK_OK = Uint8Array.of(0x20, 3, 0, 0, 0);
const CONNACK_NOT_AUTHORIZED = Uint8Array.of(0x20, 3, 0, 0x87, 0);
const isConnect = (bytes: Uint8Array) => bytes[0] === 0x10;
const isWrite = (bytes: Uint8Array) =>
  new TextDecoder().decode(bytes.subarray(0, 4)) === "POST";
const http = (status: string, body: string, more = "") =>
  `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n${more}\r\n${body}`;
const HEALTHY = http(
  "200 OK",
  '{"status":"pass"}',
  "content-type: application/json\r\n",
);

/** Every stage. */
export const STAGES: readonly Stage[] = [
  { sink: "mqtt", name: "refused" },
  { sink: "mqtt", name: "reset", serve: (socket) => socket.resetAndDestroy() },
  { sink: "mqtt", name: "closed", serve: (socket) => socket.destroy() },
  { sink: "mqtt", name: "silent", serve: () => {} },
  {
    sink: "mqtt",
    name: "not authorized",
    serve: (socket) => socket.write(CONNACK_NOT_AUTHORIZED),
  },
  {
    sink: "mqtt",
    name: "lost after CONNACK",
    serve: (socket, bytes) =>
      isConnect(bytes) ? socket.write(CONNACK_OK) : socket.destroy(),
  },
  {
    sink: "mqtt",
    name: "reset after CONNACK",
    serve: (socket, bytes) =>
      isConnect(bytes) ? socket.write(CONNACK_OK) : socket.resetAndDestroy(),
  },
  {
    sink: "mqtt",
    name: "silent after CONNACK",
    serve: (socket, bytes) => isConnect(bytes) && socket.write(CONNACK_OK),
  },
  { sink: "influxdb", name: "refused" },
  {
    sink: "influxdb",
    name: "reset",
    serve: (socket) => socket.resetAndDestroy(),
  },
  { sink: "influxdb", name: "silent", serve: () => {} },
  {
    sink: "influxdb",
    name: "error",
    serve: (socket, bytes) =>
      socket.write(isWrite(bytes) ? http("503 Busy", "busy") : HEALTHY),
  },
  {
    sink: "influxdb",
    name: "unread page",
    serve: (socket) =>
      socket.write(
        http("200 OK", "x".repeat(5_000), "content-type: image/png\r\n"),
      ),
  },
  {
    sink: "influxdb",
    name: "silent on writes",
    serve: (socket, bytes) => !isWrite(bytes) && socket.write(HEALTHY),
  },
  {
    sink: "influxdb",
    name: "reset inside an answer",
    serve: (socket, bytes) => {
      if (!isWrite(bytes)) return socket.write(HEALTHY);
      socket.write(http("400 Bad", "x".repeat(50)).slice(0, -20));
      setTimeout(() => socket.resetAndDestroy(), 1);
    },
  },
];

/** Lets `sessions` sessions fail at `stage`; the first tenth warms up. */
async function reconnect(
  stage: Stage,
  sessions: number,
): Promise<Leftover> {
  using listeners = watchListeners();
  await using server = await listen(stage);
  let failed = 0;
  const waiters: { sessions: number; resolve: () => void }[] = [];
  const url = `${
    stage.sink === "mqtt" ? "mqtt" : "http"
  }://127.0.0.1:${server.port}`;
  await using rig = await startRig({
    ...(stage.sink === "mqtt"
      ? { mqtt: { url, connect_timeout_s: 0.005, ack_timeout_s: 0.005 } }
      : { influxdb: { url, timeout_s: 0.005 } }),
    slowRetryMs: 0,
    backoff: {
      next: () => {
        failed++;
        while (waiters[0] && failed >= waiters[0].sessions) {
          waiters.shift()!.resolve();
        }
        return 0;
      },
      reset: () => {},
    },
  });
  const until = (sessions: number) =>
    new Promise<void>((resolve) => waiters.push({ sessions, resolve }));
  const warm = until(Math.ceil(sessions / 10));
  const done = until(Math.ceil(sessions / 10) + sessions);
  await rig.appendNumbered(1);
  await warm;
  const before = measure();
  await done;
  const after = measure();
  return {
    sessions,
    files: after.files - before.files,
    heap: after.heap - before.heap,
    listeners: listeners.most,
  };
}

interface Listening extends AsyncDisposable {
  readonly port: number;
}

async function listen({ serve }: Stage): Promise<Listening> {
  if (serve === undefined) {
    return { port: DEAD_PORT, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {}); // The client is as rude as we are.
    socket.on("data", (bytes: Uint8Array) => serve(socket, bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function measure(): { files: number; heap: number } {
  const heap = keptBytes();
  const files = [...Deno.readDirSync("/proc/self/fd")].length;
  return { files, heap };
}

/** Counts the listeners of each AbortSignal, until it is disposed. */
function watchListeners(): Disposable & { readonly most: number } {
  const counts = new WeakMap<AbortSignal, Set<unknown>>();
  const { prototype } = AbortSignal;
  const { addEventListener, removeEventListener } = prototype;
  let most = 0;
  prototype.addEventListener = function (...args: unknown[]) {
    const set = counts.get(this) ?? new Set();
    counts.set(this, set.add(args[1]));
    most = Math.max(most, set.size);
    return Reflect.apply(addEventListener, this, args);
  };
  prototype.removeEventListener = function (...args: unknown[]) {
    counts.get(this)?.delete(args[1]);
    return Reflect.apply(removeEventListener, this, args);
  };
  return {
    get most() {
      return most;
    },
    [Symbol.dispose]() {
      Object.assign(prototype, { addEventListener, removeEventListener });
    },
  };
}

/** What a stage leaks, in words; undefined if nothing. */
function leakOf(
  { sessions, files, heap, listeners }: Leftover,
): string | undefined {
  if (files > 10) return `${files} files`;
  if (listeners > 10) return `${listeners} listeners of one signal`;
  // A closure is about 100 bytes; the heap itself wavers by a few megabytes.
  if (heap > 4e6 + 100 * sessions) return `${heap} bytes`;
  return undefined;
}

if (import.meta.main) {
  const total = Number(Deno.args[0] ?? 10_000);
  for (const stage of STAGES) {
    const start = performance.now();
    const left = await reconnect(stage, Math.ceil(total / STAGES.length));
    const leak = leakOf(left);
    if (leak !== undefined) Deno.exitCode = 1;
    // deno-lint-ignore no-console -- this is a program of its own
    console.log(
      `${stage.sink} ${stage.name}: ${left.sessions} sessions in ${
        ((performance.now() - start) / 1e3).toFixed(1)
      } s left ${left.files} files, ${
        (left.heap / 1e3).toFixed(0)
      } kB, at most ${left.listeners} listeners${
        leak === undefined ? "" : `: LEAKS ${leak}`
      }`,
    );
  }
}
