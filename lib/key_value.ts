/**
 * Lines as `temp=21.5 hum=40`, which the gateway does not read, and what the firmware would print instead:
 * the gateway's log, `parse` and `init` say it in the same words.
 *
 * @module
 */

/** `temp=21.5`, `hum: 48` */
const PAIR =
  /(?<![\w."])([A-Za-z_]\w{0,31})\s{0,3}[=:]\s{0,3}(-?\d{1,15}(?:\.\d{1,15})?)(?![\w:.]*:)/g;
/** So many are shown: the others go the same way. */
const MOST_PAIRS = 4;

/** Names and numbers of a line. */
export interface KeyValuePairs {
  /** As the firmware prints them: `temp=21.5 hum=40`. */
  readonly text: string;
  /** The same as JSON. */
  readonly json: string;
}

/** The first pairs of what a line says, without time, level and place; undefined where it has none. */
export function readPairs(said: string): KeyValuePairs | undefined {
  const pairs = [...said.matchAll(PAIR)].slice(0, MOST_PAIRS);
  if (pairs.length === 0) return undefined;
  const values = new Map(pairs.map(([, key, value]) => [key!, Number(value)]));
  const fields = [...values].map(([key, value]) => `"${key}":${value}`);
  return {
    text: pairs.map(([pair]) => pair).join(" "),
    json: `{${fields.join(",")}}`,
  };
}

/** What to do about such lines: one sentence, without its end. @param marker `gateway.marker` as it is */
export function advisePairs(
  { text, json }: KeyValuePairs,
  marker: string,
): string {
  return `the gateway reads JSON, one object a line: let the firmware print ${marker}${json} instead of ${text}, or put a program between that prints so, as gateway.command`;
}
