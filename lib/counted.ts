/**
 * Counts as an operator says them.
 *
 * @module
 */

/** `1 reading`, `2 readings`; `many` where an "s" alone does not make the plural: `2 readings wait`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
