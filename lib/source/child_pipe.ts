/**
 * What a child prints, read to its end whatever becomes of its reader.
 *
 * @module
 */

/** Options for {@linkcode ChildPipe}. */
export interface ChildPipeOptions {
  /** Sees each chunk, also those that are thrown away. */
  onRead(chunk: Uint8Array): void;
  /** Sees each chunk before it comes out. */
  onChunk?(chunk: Uint8Array): void;
}

/** One of a child's two pipes. */
export class ChildPipe {
  /** What comes out of the pipe. Cancelling it does not close the pipe: the rest is thrown away. */
  readonly readable: ReadableStream<Uint8Array>;
  readonly #end = Promise.withResolvers<void>();
  /** Comes when the pipe has been read to its end. */
  readonly ended: Promise<void> = this.#end.promise;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #onRead: (chunk: Uint8Array) => void;
  #chunks = 0;
  #asking = false;

  constructor(pipe: ReadableStream<Uint8Array>, options: ChildPipeOptions) {
    this.#onRead = options.onRead;
    this.#reader = pipe.getReader();
    this.readable = new ReadableStream({
      pull: async (controller) => {
        const chunk = await this.#read();
        if (chunk) {
          options.onChunk?.(chunk);
          return controller.enqueue(chunk);
        }
        controller.close();
      },
      // Not awaited, or whoever cancels would wait for the child's end.
      cancel: () => void this.discard(),
    });
  }

  /** Chunks read so far while the pipe is being asked for more; undefined while its reader is busy. */
  get asking(): number | undefined {
    return this.#asking ? this.#chunks : undefined;
  }

  /** Lets the pipe go: a read under way finds its end. */
  async release(): Promise<void> {
    await this.#reader.cancel();
  }

  /** Reads to the end and throws away; for when nobody reads any more. */
  async discard(): Promise<void> {
    while (await this.#read());
  }

  async #read(): Promise<Uint8Array | undefined> {
    this.#asking = true;
    // A pipe that breaks has ended; what the child has to say about it is its exit code.
    const { value } = await this.#reader.read().catch(() => ({
      value: undefined,
    }));
    this.#asking = false;
    this.#chunks++;
    if (value) this.#onRead(value);
    else this.#end.resolve();
    return value;
  }
}
