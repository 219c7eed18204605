/**
 * A connection that carries lines, and that nobody at its other end can use to do harm: a line has a
 * longest length, and reading and writing have deadlines.
 *
 * @module
 */

const CHUNK_BYTES = 16 * 1024;
const NEWLINE = 10;

/** Options for {@linkcode Wire.readLine}. */
export interface ReadLineOptions {
  /** Without its end. */
  readonly maxBytes: number;
  /** For all of the line. */
  readonly withinMs: number;
}

/** One connection. */
export class Wire implements Disposable {
  readonly #connection: Deno.Conn;
  /** Fails when the connection is closed: a write of Deno 2.6 would go on waiting for its reader. */
  readonly #end = Promise.withResolvers<never>();
  #rest = new Uint8Array(0);
  #closed = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
    this.#end.promise.catch(() => {});
  }

  /**
   * The next line; null at the end of the connection, whatever stands before it.
   *
   * @throws {Error} if the line is too long or does not come in time
   */
  async readLine(
    { maxBytes, withinMs }: ReadLineOptions,
  ): Promise<string | null> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    using _deadline = this.#deadline("No line came", withinMs);
    for (;;) {
      const end = this.#rest.indexOf(NEWLINE);
      if (end > maxBytes || (end < 0 && this.#rest.length > maxBytes)) {
        throw new Error(`A line must be at most ${maxBytes} bytes long`);
      }
      if (end >= 0) {
        const line = new TextDecoder().decode(this.#rest.subarray(0, end));
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const length = await this.#orEnd(this.#connection.read(chunk));
      if (length === null) return null;
      const longer = new Uint8Array(this.#rest.length + length);
      longer.set(this.#rest);
      longer.set(chunk.subarray(0, length), this.#rest.length);
      this.#rest = longer;
    }
  }

  /** Writes a line. @throws {Error} if the other end does not take it in time, or has gone */
  async writeLine(line: string, withinMs: number): Promise<void> {
    const bytes = new TextEncoder().encode(`${line}\n`);
    using _deadline = this.#deadline("Nobody took a line", withinMs);
    for (let written = 0; written < bytes.length;) {
      written += await this.#orEnd(
        this.#connection.write(bytes.subarray(written)),
      );
    }
  }

  /** Comes when the other end has gone; what it still sends is thrown away. */
  async gone(): Promise<void> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    try {
      while (await this.#orEnd(this.#connection.read(chunk)) !== null);
    } catch {
      // Closed on either side.
    }
  }

  /** Closes the connection; what waits for it fails. */
  close(): void {
    this.#close(new Error("The connection was closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #deadline(what: string, ms: number): Disposable {
    const late = new Error(`${what} within ${ms} ms`);
    const timer = setTimeout(() => this.#close(late), ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  }

  #close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end.reject(reason);
    this.#connection.close();
  }

  async #orEnd<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([work, this.#end.promise]);
  }
}
