/**
 * A TCP proxy in front of a test server, for what a network does: it is late, it is slow, it swallows,
 * it stands still, it cuts. Each fault lasts until {@linkcode TcpProxy.mend}, unless its text says
 * otherwise, and holds for the connections there are and for those to come.
 *
 *     await using proxy = await startTcpProxy(broker.port);
 *     const cut = proxy.cutAfter(1_000, "toServer", { reset: true });
 *     …
 *     await cut;         // the thousandth byte has passed, and nothing more
 *     proxy.swallow("toClient");
 *     proxy.mend();
 *
 * @module
 */

import {
  connect,
  createServer,
  type Server,
  type Socket,
  type SocketConstructorOpts,
} from "node:net";
import { wait } from "../lib/wait.ts";
import { freePort } from "./servers.ts";

/** Which way bytes go. */
export type Direction = "toServer" | "toClient";

/** Options for {@linkcode startTcpProxy}. */
export interface TcpProxyOptions {
  /** Given the first bytes of a client: what to answer instead of the server, then close. */
  readonly answerInstead?: (first: Uint8Array) => Uint8Array | undefined;
  /** @default {freePort()} */
  readonly port?: number;
  /**
   * Whether a reset reaches the server as one, or as an end: VictoriaMetrics takes what came before a
   * reset for a whole body, and stores a line that is cut in its time.
   *
   * @default {true}
   */
  readonly resetsServer?: boolean;
}

/** Options for {@linkcode TcpProxy.cutAfter}. */
export interface CutAfterOptions {
  /**
   * With a RST, after which even what was sent before may be lost. VictoriaMetrics stores the half line
   * at the end of a body that a RST cuts; InfluxDB reads a body whole before it looks at it.
   *
   * @default {false: with a FIN}
   */
  readonly reset?: boolean;
}

/** A running proxy. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections taken so far. */
  readonly taken: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Bytes passed on so far. */
  readonly passed: Readonly<Record<Direction, number>>;
  /** Bytes swallowed so far. */
  readonly swallowed: Readonly<Record<Direction, number>>;
  /** Ends all faults: bytes pass at once, and connections are taken again. */
  mend(): Promise<void>;
  /** Ends all connections and refuses new ones. */
  cut(): Promise<void>;
  /** Ends all connections with a RST, once; takes new ones. */
  reset(): void;
  /** Ends the one connection, once, on which the `bytes`th byte from now on passes. */
  cutAfter(
    bytes: number,
    direction: Direction,
    options?: CutAfterOptions,
  ): Promise<void>;
  /** Takes bytes and passes none on; nor that a side has closed. @default {both directions} */
  swallow(direction?: Direction): void;
  /**
   * Takes bytes no more, as a process that is stopped: what arrives waits in the system's buffers, and
   * goes on after `mend`. @default {both directions}
   */
  hold(direction?: Direction): void;
  /** Passes each piece on so many milliseconds late. @default {both directions} */
  delay(ms: number, direction?: Direction): void;
  /** Passes at most so many bytes a second on, twenty times a second. @default {both directions} */
  throttle(bytesPerS: number, direction?: Direction): void;
}

/** Starts a proxy on 127.0.0.1 in front of `targetPort` there. */
export async function startTcpProxy(
  targetPort: number,
  options: TcpProxyOptions = {},
): Promise<TcpProxy> {
  for (let attempt = 1;; attempt++) {
    const proxy = new Proxy(options.port ?? freePort(), targetPort, options);
    try {
      await proxy.mend();
      return proxy;
    } catch (error) {
      // Another test may have taken the port between the look and the start.
      if (options.port !== undefined || attempt === 3) throw error;
    }
  }
}

/** How many slices a second `throttle` makes. */
const SLICES_PER_S = 20;

/** What happens to the bytes of one direction. */
interface Lane {
  mode: "pass" | "swallow" | "hold";
  delayMs: number;
  bytesPerS: number;
  cut: { left: number; reset: boolean; done: () => void } | undefined;
}

/** One client and the connection to the server that belongs to it. */
interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly resetsServer: boolean;
  readonly gone: AbortController;
}

class Proxy implements TcpProxy {
  readonly port: number;
  taken = 0;
  readonly passed = { toServer: 0, toClient: 0 };
  readonly swallowed = { toServer: 0, toClient: 0 };
  readonly #targetPort: number;
  readonly #options: TcpProxyOptions;
  readonly #lanes: Record<Direction, Lane> = {
    toServer: healthy(),
    toClient: healthy(),
  };
  readonly #links = new Map<Link, Promise<unknown>>();
  #server: Server | undefined;
  #changed = new AbortController();

  constructor(port: number, targetPort: number, options: TcpProxyOptions) {
    this.port = port;
    this.#targetPort = targetPort;
    this.#options = options;
  }

  get open(): number {
    return this.#links.size;
  }

  async mend(): Promise<void> {
    for (const direction of ["toServer", "toClient"] as const) {
      const { cut } = this.#lanes[direction];
      this.#lanes[direction] = { ...healthy(), cut };
    }
    this.#change();
    if (this.#server !== undefined) return;
    const server = createServer({ noDelay: true }, (client) => {
      this.taken++;
      this.#serve(client);
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen(this.port, "127.0.0.1", resolve);
    await promise;
    this.#server = server;
  }

  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<unknown>((resolve) =>
      server === undefined ? resolve(undefined) : server.close(resolve)
    );
    const ends = [...this.#links.values()];
    for (const link of this.#links.keys()) end(link);
    await Promise.all([closed, ...ends]);
  }

  reset(): void {
    for (const link of this.#links.keys()) end(link, { reset: true });
  }

  cutAfter(
    bytes: number,
    direction: Direction,
    { reset = false }: CutAfterOptions = {},
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lanes[direction].cut = { left: bytes, reset, done: resolve };
    return promise;
  }

  swallow(direction?: Direction): void {
    this.#set(direction, { mode: "swallow" });
  }

  hold(direction?: Direction): void {
    this.#set(direction, { mode: "hold" });
  }

  delay(ms: number, direction?: Direction): void {
    this.#set(direction, { delayMs: ms });
  }

  throttle(bytesPerS: number, direction?: Direction): void {
    this.#set(direction, { bytesPerS });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }

  #set(direction: Direction | undefined, fault: Partial<Lane>): void {
    for (const one of ["toServer", "toClient"] as const) {
      if (direction === undefined || direction === one) {
        Object.assign(this.#lanes[one], fault);
      }
    }
    this.#change();
  }

  #change(): void {
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  #serve(client: Socket): void {
    const server = connect(
      {
        port: this.#targetPort,
        host: "127.0.0.1",
        noDelay: true,
      } as SocketConstructorOpts & { port: number },
    );
    const { resetsServer = true } = this.#options;
    const link = { client, server, resetsServer, gone: new AbortController() };
    const closed = [client, server].map((socket) =>
      new Promise<void>((resolve) => socket.once("close", () => resolve()))
    );
    const ended = Promise.all([
      ...closed,
      this.#pipe(link, "toServer"),
      this.#pipe(link, "toClient"),
    ]).finally(() => this.#links.delete(link));
    this.#links.set(link, ended);
  }

  /** Passes one direction of a link on until it ends; a fault of one side is one of the other. */
  async #pipe(link: Link, direction: Direction): Promise<void> {
    const up = direction === "toServer";
    const [from, to] = up
      ? [link.client, link.server]
      : [link.server, link.client];
    const answerInstead = up ? this.#options.answerInstead : undefined;
    let first = true;
    let passed = Promise.resolve();
    try {
      for await (const piece of from as AsyncIterable<Uint8Array>) {
        const answer = first ? answerInstead?.(piece) : undefined;
        first = false;
        if (answer !== undefined) {
          from.end(answer);
          to.destroy();
          return;
        }
        const { delayMs } = this.#lanes[direction];
        const due = performance.now() + delayMs;
        passed = passed.then(() => this.#pass(piece, due, link, direction));
        // What is late is late all the same for what comes behind it.
        if (delayMs > 0) passed.catch(() => {});
        else await passed;
      }
      await passed;
      await this.#whilePassing(link, direction);
      to.end();
    } catch {
      await this.#whilePassing(link, direction);
      end(link, { reset: true });
    }
  }

  async #pass(
    piece: Uint8Array,
    due: number,
    link: Link,
    direction: Direction,
  ): Promise<void> {
    const { signal } = link.gone;
    const to = direction === "toServer" ? link.server : link.client;
    const waitMs = due - performance.now();
    if (waitMs > 0) await wait(waitMs, signal);
    for (let from = 0; from < piece.length && !signal.aborted;) {
      await this.#whilePassing(link, direction, "hold");
      const lane = this.#lanes[direction];
      if (signal.aborted) return;
      if (lane.mode === "swallow") {
        this.swallowed[direction] += piece.length - from;
        return;
      }
      const { cut, bytesPerS } = lane;
      const slice = piece.subarray(
        from,
        from + Math.min(
          cut?.left ?? Infinity,
          Math.max(1, bytesPerS / SLICES_PER_S),
          piece.length,
        ),
      );
      from += slice.length;
      this.passed[direction] += slice.length;
      // Counted before anything waits: other links of the lane count too.
      if (cut !== undefined) cut.left -= slice.length;
      const cutHere = cut?.left === 0;
      if (slice.length > 0) await write(to, slice);
      if (cut !== undefined && cutHere) {
        if (lane.cut === cut) lane.cut = undefined;
        end(link, cut);
        cut.done();
      } else if (bytesPerS < Infinity) await wait(1_000 / SLICES_PER_S, signal);
    }
  }

  /** Comes when bytes may pass, or need not any more; `mode` alone holds them up where it is given. */
  async #whilePassing(
    { gone: { signal } }: Link,
    direction: Direction,
    mode?: Lane["mode"],
  ): Promise<void> {
    for (;;) {
      const now = this.#lanes[direction].mode;
      if (now === "pass" || (mode !== undefined && now !== mode)) return;
      if (signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const changed = this.#changed.signal;
      const listener = () => resolve();
      changed.addEventListener("abort", listener);
      signal.addEventListener("abort", listener);
      await promise;
      changed.removeEventListener("abort", listener);
      signal.removeEventListener("abort", listener);
    }
  }
}

function healthy(): Lane {
  return { mode: "pass", delayMs: 0, bytesPerS: Infinity, cut: undefined };
}

/** Closes both sides; without a reset, after what was written to them has left. */
function end(
  { client, server, resetsServer, gone }: Link,
  { reset = false }: { reset?: boolean } = {},
): void {
  gone.abort();
  for (const socket of [client, server]) {
    if (reset && (resetsServer || socket === client)) socket.resetAndDestroy();
    else socket.destroySoon();
  }
}

/** Comes when the system has taken the bytes. */
function write(to: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    to.write(bytes, (error) => error ? reject(error) : resolve());
  });
}
