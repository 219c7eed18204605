/**
 * The log of what reads boards: each line says of which one it is, where that has a name.
 *
 * The name is of the asynchronous context, so nothing on the way from a child to a packet has to hand
 * it on.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { getLogger, lazy, type Logger } from "@logtape/logtape";
import { ownText } from "../own_text.ts";
import { type Level, verbatim } from "./firmware_text.ts";

const board = new AsyncLocalStorage<string | undefined>();

/**
 * The logger of a category; its lines have the property `board`.
 *
 * @param name for what is of one board wherever it is called
 */
export function getBoardLogger(category: string, name?: string): Logger {
  return getLogger(["gateway", category]).with({
    board: name === undefined
      ? lazy(() => board.getStore())
      : name || undefined,
  });
}

/** Runs `run`: what is logged in it, and in all that it begins, is of the board `name`. */
export function ofBoard<T>(name: string, run: () => T): T {
  // The only board needs no name.
  return board.run(name === "" ? undefined : name, run);
}

/** Logs what a program said. The line may wait for long: what it was cut from does not wait with it. */
export function logSaid(log: Logger, level: Level, text: string): void {
  if (log.isEnabledFor(level)) log[level](verbatim(ownText(text)));
}
