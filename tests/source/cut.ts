/**
 * Input as chunks, for tests that must not depend on how it was cut.
 *
 * @module
 */

/** Cuts `bytes` into chunks of `sizes`, in turn, empty ones included. */
export function* cut(
  bytes: Uint8Array,
  sizes: readonly number[],
): Generator<Uint8Array> {
  const moving = sizes.some((size) => size > 0) ? sizes : [...sizes, 1];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    yield bytes.slice(at, at += moving[turn % moving.length] ?? 1);
  }
}
