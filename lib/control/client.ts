/**
 * Asking a running gateway.
 *
 * @module
 */

import { connectTo, readAddress } from "./endpoint.ts";
import {
  type Answer,
  type Command,
  formatRequest,
  type ResultOf,
} from "./protocol.ts";
import { Wire } from "./wire.ts";

/** The longest answer, in bytes: the status of twenty boards is some 100 kB. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** No gateway answered: the command was perhaps not carried out. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

/** Options for {@linkcode ask}. */
export interface AskOptions {
  /** Longest silence of the gateway, in milliseconds. @default {60000} */
  readonly withinMs?: number;
  /** How far it is, from 0 to 1. */
  onProgress?(part: number): void;
  /** Takes the parts of an answer that is told piece by piece. */
  onPart?(part: string): Promise<void>;
  /** Aborted to hang up. @default {never} */
  readonly signal?: AbortSignal;
}

/**
 * Asks the gateway with the journal in `folder` to carry out `command`.
 *
 * @throws {Unreachable} if none answers
 * @throws {Error} with the gateway's words, if it cannot do it
 */
export async function ask<C extends Command>(
  folder: string,
  command: C,
  { withinMs = 60_000, onProgress, onPart, signal }: AskOptions = {},
): Promise<ResultOf<C>> {
  const answers = conversation(folder, command, withinMs, signal);
  for await (const answer of answers) {
    if ("progress" in answer) onProgress?.(answer.progress);
    else if ("part" in answer) await onPart?.(answer.part);
    else if ("error" in answer) throw new Error(answer.error);
    else return answer.result as ResultOf<C>;
  }
  throw new Unreachable(
    "The gateway hung up without an answer: it has others to answer, or is just ending",
  );
}

/** The gateway's lines; every fault of the connection is {@linkcode Unreachable}. */
async function* conversation(
  folder: string,
  command: Command,
  withinMs: number,
  signal: AbortSignal | undefined,
): AsyncIterable<Answer> {
  let hangUp = () => {};
  try {
    const address = await readAddress(folder);
    if (address === null) throw new Error("It does not listen");
    using wire = new Wire(await connectTo(folder, address));
    hangUp = () => wire.close();
    signal?.addEventListener("abort", hangUp);
    if (signal?.aborted) return;
    if ("token" in address) await wire.writeLine(address.token, withinMs);
    await wire.writeLine(formatRequest(command), withinMs);
    for (;;) {
      const line = await wire.readLine({
        maxBytes: MAX_ANSWER_BYTES,
        withinMs,
      });
      if (line === null) return;
      yield JSON.parse(line) as Answer;
    }
  } catch (cause) {
    throw new Unreachable("The gateway does not answer", { cause });
  } finally {
    signal?.removeEventListener("abort", hangUp);
  }
}
