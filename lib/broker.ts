/**
 * The embedded MQTT broker: a first run needs no other program.
 *
 * It speaks MQTT 3.1.1 and keeps everything in memory, retained values too. Whoever wants more runs
 * a broker of his own; one that answers on the port is used instead ({@linkcode answersMqtt}).
 *
 * @module
 */

import { createServer, type Server, type Socket } from "node:net";
import { Aedes } from "aedes";

/** Where to listen. */
export interface BrokerAddress {
  /** Only loopback addresses keep others out: everybody may connect. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** A running broker; disposing of it ends every connection. */
export interface EmbeddedBroker extends AsyncDisposable {
  readonly port: number;
  /** `mqtt://HOST:PORT` */
  readonly url: string;
}

/**
 * With the default of a minute one subscriber that stops reading stalls everybody after some
 * 4,000 messages.
 */
const DRAIN_TIMEOUT_MS = 2_000;

/**
 * Starts a broker.
 *
 * @throws {Error} if the address cannot be listened on; the message names the key that changes it
 */
export async function startBroker(
  { host, port }: BrokerAddress,
): Promise<EmbeddedBroker> {
  const aedes = await Aedes.createBroker({ drainTimeout: DRAIN_TIMEOUT_MS });
  const sockets = new Set<Socket>();
  const server = createServer((socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
    aedes.handle(socket);
  });
  const close = () =>
    new Promise<void>((resolve) => aedes.close(() => resolve()));
  try {
    await listen(server, host, port);
  } catch (error) {
    await close();
    throw explain(error as Error & { code?: string }, host, port);
  }
  const { port: actual } = server.address() as { port: number };
  return {
    port: actual,
    url: `mqtt://${host.includes(":") ? `[${host}]` : host}:${actual}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await close();
      // What never said CONNECT is no client of aedes, and would keep its connection.
      for (const socket of sockets) socket.destroy();
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function explain(
  error: Error & { code?: string },
  host: string,
  port: number,
): Error {
  const what = `Cannot start the embedded MQTT broker on ${host}:${port}`;
  const why = error.code === "EADDRINUSE"
    ? 'another program uses this port: set "broker.port" to a free one'
    : error.code === "EACCES"
    ? 'this port is only for root: set "broker.port" to one above 1023'
    : `${error.message}: correct "broker.host" or "broker.port"`;
  return new Error(`${what}: ${why}`, { cause: error });
}

/** What answers at an address: an MQTT broker, something else, or nothing that takes a connection. */
export type Answerer = "mqtt" | "other" | "nothing";

/** MQTT 3.1.1 CONNECT with a clean session, no client id and a keepalive of 10 s. */
const CONNECT = Uint8Array.of(
  0x10,
  12,
  0,
  4,
  0x4d,
  0x51,
  0x54,
  0x54,
  4,
  2,
  0,
  10,
  0,
  0,
);
const CONNACK = 0x20;
const DISCONNECT = Uint8Array.of(0xe0, 0);

/** Asks what answers at an address; any CONNACK counts as MQTT, a refusing one too. */
export async function answersMqtt(
  host: string,
  port: number,
  { timeoutMs = 2_000 }: { timeoutMs?: number } = {},
): Promise<Answerer> {
  const signal = AbortSignal.timeout(timeoutMs);
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: host, port, signal });
  } catch {
    return "nothing";
  }
  const onTimeout = () => connection.close();
  signal.addEventListener("abort", onTimeout);
  try {
    await connection.write(CONNECT);
    const answer = new Uint8Array(4);
    const length = await connection.read(answer);
    if (length === null || answer[0] !== CONNACK) return "other";
    await connection.write(DISCONNECT);
    return "mqtt";
  } catch {
    return "other";
  } finally {
    signal.removeEventListener("abort", onTimeout);
    if (!signal.aborted) connection.close();
  }
}
