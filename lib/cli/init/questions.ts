/**
 * Questions at the terminal.
 *
 * @module
 */

import process from "node:process";
import {
  autocomplete,
  isCancel,
  log,
  password,
  select,
  text,
} from "@clack/prompts";

/** Thrown where Ctrl-C or Escape answers a question. */
export class Cancelled extends Error {
  override name = "Cancelled";
}

/** One of a few answers. */
export interface Choice<T> {
  readonly value: T;
  readonly label: string;
}

/** What is wrong with an answer, as the end of a sentence; undefined: nothing. */
export type Examine = (answer: string) => Promise<string | undefined>;

/** A serial console does not tell its size, and each letter would be a line. */
const COLUMNS = 80;

if (!process.stdout.columns) {
  Object.defineProperty(process.stdout, "columns", { value: COLUMNS });
}

/** More answers than these are scrolled. */
const MOST_SHOWN = 8;

/** Asks for a line, again until nothing is wrong with it; nothing typed is `fallback`. */
export async function askText(
  message: string,
  fallback: string,
  examine: Examine,
): Promise<string> {
  for (let typed = "";;) {
    const answer = given(
      await text({
        message,
        placeholder: fallback,
        defaultValue: fallback,
        initialValue: typed,
      }),
    );
    const fault = await examine(answer);
    if (fault === undefined) return answer;
    log.error(`It ${fault}`);
    typed = answer;
  }
}

/** Asks for what must not be seen, again until nothing is wrong with it. */
export async function askSecret(
  message: string,
  examine: Examine,
): Promise<string> {
  for (;;) {
    const answer = given(await password({ message })) ?? "";
    const fault = await examine(answer);
    if (fault === undefined) return answer;
    log.error(`It ${fault}`);
  }
}

/** Has one of `choices` chosen; the first is where Enter begins. */
export async function askChoice<T extends string | undefined>(
  message: string,
  choices: readonly Choice<T>[],
): Promise<T> {
  // By their places: undefined is an answer as well.
  const options = choices.map(({ label }, value) => ({ value, label }));
  return choices[given(await select({ message, options }))]!.value;
}

/** Has one of many names chosen, fewer with each letter that is typed: those that what is typed `fits`. */
export async function askName(
  message: string,
  names: readonly string[],
  fits: (typed: string, name: string) => boolean,
): Promise<string> {
  for (;;) {
    const name = given(
      await autocomplete({
        message,
        placeholder: "type some of it",
        maxItems: MOST_SHOWN,
        options: names.map((value) => ({ value, label: value })),
        filter: (typed, { value }) => fits(typed, value),
      }),
    );
    // Enter where nothing fits any more.
    if (typeof name === "string") return name;
    log.error("It must be one of the list");
  }
}

/** Says something between two questions. */
export function remark(sentence: string): void {
  log.info(sentence);
}

function given<T>(answer: T): Exclude<T, symbol> {
  if (isCancel(answer)) throw new Cancelled();
  return answer as Exclude<T, symbol>;
}
