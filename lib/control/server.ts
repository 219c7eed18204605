/**
 * The gateway's ear for commands.
 *
 * Whoever connects can do no harm by what they send, or by sending or reading nothing: a question is
 * one short line that must come soon, answers that nobody takes are given up, and only so many can
 * be under way at once. A command whose asker has gone is given up where that is still possible.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { timingSafeEqual } from "node:crypto";
import { describeError } from "../error_text.ts";
import { wait } from "../wait.ts";
import {
  type Endpoint,
  type EndpointOptions,
  openEndpoint,
} from "./endpoint.ts";
import { type Answer, type Command, parseRequest } from "./protocol.ts";
import { Wire } from "./wire.ts";

/** The longest question, in bytes. */
export const MAX_REQUEST_BYTES = 64 * 1024;
/** Connections at once; further ones are closed. */
export const MAX_CLIENTS = 8;
/** Pause after a connection could not be taken: the system is short of something. */
const ACCEPT_RETRY_MS = 1000;

/** What is done with a command. */
export type Perform = (
  command: Command,
  options: {
    /** Aborted when nobody waits for the answer any more. */
    readonly signal: AbortSignal;
    /** From 0 to 1. */
    onProgress(part: number): void;
    /** Sends a part of the answer; resolves when it is taken. */
    onPart(part: string): Promise<void>;
  },
) => Promise<unknown>;

/** Options for {@linkcode ControlServer.open}. */
export interface ControlServerOptions extends EndpointOptions {
  readonly perform: Perform;
  /** How long a question may take to come, and an answer to be taken. @default {5000} */
  readonly withinMs?: number;
}

/** Listens until it is disposed. */
export class ControlServer implements AsyncDisposable {
  readonly #endpoint: Endpoint;
  readonly #options: ControlServerOptions;
  readonly #withinMs: number;
  readonly #clients = new Map<Wire, Promise<void>>();
  readonly #stop = new AbortController();
  readonly #listening: Promise<void>;

  private constructor(endpoint: Endpoint, options: ControlServerOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#withinMs = options.withinMs ?? 5000;
    this.#listening = this.#listen();
  }

  /** Listens for the journal in `folder`, whose lock is ours. @throws {Error} if that cannot be done */
  static async open(
    folder: string,
    options: ControlServerOptions,
  ): Promise<ControlServer> {
    return new ControlServer(await openEndpoint(folder, options), options);
  }

  /** Connections that are open. */
  get clients(): number {
    return this.#clients.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#endpoint[Symbol.asyncDispose]();
    for (const wire of this.#clients.keys()) wire.close();
    await Promise.all([this.#listening, ...this.#clients.values()]);
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const wire = new Wire(await this.#endpoint.listener.accept());
        if (this.#clients.size >= MAX_CLIENTS) wire.close();
        else {
          const served = this.#serve(wire)
            .finally(() => this.#clients.delete(wire));
          this.#clients.set(wire, served);
        }
      } catch (error) {
        if (signal.aborted) return;
        getLogger(["gateway", "control"]).warn(
          "Cannot take a command: {error}",
          { error: describeError(error) },
        );
        await wait(ACCEPT_RETRY_MS, signal);
      }
    }
  }

  async #serve(wire: Wire): Promise<void> {
    using _closed = wire;
    try {
      await this.#answer(wire);
    } catch {
      // The asker has gone, or was too slow: nobody is there to be told.
    }
  }

  async #answer(wire: Wire): Promise<void> {
    const { token } = this.#endpoint;
    const withinMs = this.#withinMs;
    const read = () => wire.readLine({ maxBytes: MAX_REQUEST_BYTES, withinMs });
    if (token !== undefined && !isSame(await read() ?? "", token)) return;
    const line = await read();
    if (line === null) return;

    // A server that is disposed closes the wire, so this stands for that as well.
    const gone = new AbortController();
    wire.gone().then(() => gone.abort());
    let writing = Promise.resolve();
    let idle = true;
    const write = (answer: Answer) => {
      idle = false;
      writing = writing
        .then(() => wire.writeLine(JSON.stringify(answer), withinMs))
        .finally(() => idle = true);
      return writing;
    };
    let answer: Answer;
    try {
      const result = await this.#options.perform(parseRequest(line), {
        signal: gone.signal,
        // A slow reader misses steps, and never makes them pile up.
        onProgress: (part) => {
          if (idle) write({ progress: part }).catch(() => gone.abort());
        },
        onPart: async (part) => {
          try {
            await write({ part });
          } catch (error) {
            gone.abort();
            throw error;
          }
        },
      });
      answer = { result };
    } catch (error) {
      answer = { error: describeError(error) };
    }
    await write(answer);
  }
}

/** Without telling by its time how much of `given` is right. */
function isSame(given: string, token: string): boolean {
  const encoder = new TextEncoder();
  const [one, other] = [encoder.encode(given), encoder.encode(token)];
  return one.length === other.length && timingSafeEqual(one, other);
}
