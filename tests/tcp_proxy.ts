/**
 * A TCP proxy in front of a test server, for what a network does: it cuts, it is silent, it answers in
 * the server's place.
 *
 * @module
 */

/** Options for {@linkcode startTcpProxy}. */
export interface TcpProxyOptions {
  /** Given the first bytes of a client: what to answer instead of the server, then close. */
  readonly answerInstead?: (first: Uint8Array) => Uint8Array | undefined;
}

/** A running proxy. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Ends all connections and refuses new ones, until {@linkcode mend}. */
  cut(): Promise<void>;
  /** Takes connections again. */
  mend(): void;
  /** Takes everything from the client from now on and passes no answer back. */
  silence(): void;
}

/** Starts a proxy on 127.0.0.1 in front of `targetPort` there. */
export function startTcpProxy(
  targetPort: number,
  options: TcpProxyOptions = {},
): TcpProxy {
  return new Proxy(targetPort, options);
}

class Proxy implements TcpProxy {
  readonly port: number;
  readonly #targetPort: number;
  readonly #options: TcpProxyOptions;
  #listener: Deno.TcpListener;
  #accepting: Promise<void>;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #pipes = new Set<Promise<void>>();
  #silent = false;

  constructor(targetPort: number, options: TcpProxyOptions) {
    this.#targetPort = targetPort;
    this.#options = options;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept();
  }

  silence(): void {
    this.#silent = true;
  }

  async cut(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
    await this.#accepting;
    await Promise.all(this.#pipes);
  }

  mend(): void {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#accepting = this.#accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.cut();
    } catch {
      // It is cut already.
    }
  }

  async #accept(): Promise<void> {
    try {
      for await (const client of this.#listener) {
        const pipe = this.#serve(client).finally(() =>
          this.#pipes.delete(pipe)
        );
        this.#pipes.add(pipe);
      }
    } catch {
      // The listener was closed.
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.#connections.add(client);
    try {
      client.setNoDelay(true);
      const buffer = new Uint8Array(65_536);
      const length = await client.read(buffer);
      if (length === null) return;
      const first = buffer.subarray(0, length);
      const answer = this.#options.answerInstead?.(first);
      if (answer !== undefined) {
        await client.write(answer);
        return;
      }
      const server = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.#targetPort,
      });
      this.#connections.add(server);
      server.setNoDelay(true);
      await writeAll(server, first);
      await Promise.all([
        this.#pipe(client, server, () => true),
        this.#pipe(server, client, () => !this.#silent),
      ]);
      this.#connections.delete(server);
    } catch {
      // One side has gone, and so does the other.
    } finally {
      this.#connections.delete(client);
      close(client);
    }
  }

  async #pipe(
    from: Deno.TcpConn,
    to: Deno.TcpConn,
    passes: () => boolean,
  ): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const length = await from.read(buffer);
        if (length === null) break;
        if (passes()) await writeAll(to, buffer.subarray(0, length));
      }
    } catch {
      // As at the end of the stream.
    } finally {
      close(from);
      close(to);
    }
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length;) {
    from += await to.write(bytes.subarray(from));
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
