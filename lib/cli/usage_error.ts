/**
 * A command that was asked for in a way that cannot be meant.
 *
 * @module
 */

/** Ends the command with the exit code of a wrong usage. */
export class UsageError extends Error {
  override name = "UsageError";
}
