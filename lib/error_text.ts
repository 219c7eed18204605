/**
 * An error in words, for the log and for the command line.
 *
 * @module
 */

/** Options for {@linkcode describeError}. */
export interface DescribeErrorOptions {
  /** Adds where it was thrown, lines of their own. @default {false} */
  readonly stack?: boolean;
}

/** The message with those of the causes: `Cannot publish: connection refused`. */
export function describeError(
  error: unknown,
  { stack = false }: DescribeErrorOptions = {},
): string {
  const messages: string[] = [];
  const seen = new Set<unknown>();
  for (
    let one = error;
    one !== undefined && !seen.has(one);
    one = one instanceof Error ? one.cause : undefined
  ) {
    seen.add(one);
    messages.push(messageOf(one));
  }
  const frames = stack && error instanceof Error
    ? error.stack?.match(/\n\s+at .*/gs)?.[0] ?? ""
    : "";
  return messages.join(": ") + frames;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Closing failed as well; what went wrong first is what counts.
  if (error instanceof SuppressedError) {
    return [error.suppressed, error.error].map((one) => describeError(one))
      .join("; then ");
  }
  // A connection that was refused on every address of a name has only the errors of each.
  if (error instanceof AggregateError && error.message === "") {
    return error.errors.map(messageOf).join(", ");
  }
  return error.message || error.name;
}
