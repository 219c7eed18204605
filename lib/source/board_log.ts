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
