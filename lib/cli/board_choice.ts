/**
 * Which of several boards a command means.
 *
 * @module
 */

import type { BoardConfig, Config } from "../config/schema.ts";
import { UsageError } from "./usage_error.ts";

/**
 * The board that `--board` names, or the only one.
 *
 * @throws {UsageError} if it is not clear which board is meant
 */
export function chooseBoard(
  config: Config,
  name: string | undefined,
): BoardConfig {
  if (name !== undefined) return boardNamed(config, name);
  const [board, ...others] = config.boards;
  if (board !== undefined && others.length === 0) return board;
  throw new UsageError(
    `There are several boards: --board must be one of ${namesOf(config)}`,
  );
}

/** The board `name`. @throws {UsageError} if there is none */
export function boardNamed(config: Config, name: string): BoardConfig {
  const board = config.boards.find((one) => one.name === name);
  if (board !== undefined) return board;
  const names = namesOf(config);
  throw new UsageError(
    `The configuration has no board "${name}": ${
      names === '""' ? "its only one has no name" : `it has ${names}`
    }`,
  );
}

function namesOf({ boards }: Config): string {
  return boards.map(({ name }) => `"${name}"`).join(", ");
}
