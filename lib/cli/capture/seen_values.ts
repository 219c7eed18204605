/**
 * What was seen of one field of a board that nobody has described yet.
 *
 * @module
 */

import type { Metric } from "../../catalogue.ts";
import { MAX_TEXT_LENGTH, type Value } from "../../model.ts";
import { escapeTricks } from "../../source/firmware_text.ts";

const MOST_TEXTS = 5;

/** The values of one field; memory is bounded. */
export class SeenValues {
  count = 0;
  #numbers = 0;
  #truths = 0;
  #texts = 0;
  #min = Infinity;
  #max = -Infinity;
  #last: number | undefined;
  #isLong = false;
  readonly #values = new Set<string>();

  add(value: unknown): void {
    this.count++;
    if (typeof value === "number") {
      this.#numbers++;
      this.#last = value;
      this.#min = Math.min(this.#min, value);
      this.#max = Math.max(this.#max, value);
    } else if (typeof value === "boolean") {
      this.#truths++;
      this.#values.add(String(value));
    } else if (typeof value === "string") {
      this.#texts++;
      if ([...value].length > MAX_TEXT_LENGTH) this.#isLong = true;
      else if (this.#values.size <= MOST_TEXTS) {
        this.#values.add(JSON.stringify(value));
      }
    }
  }

  /** A value to guess from, and what is wrong with the others. */
  use(
    builtIn: Pick<Metric, "range"> | undefined,
  ): { value?: Value; why?: string } {
    const kinds = [
      this.#numbers > 0 && "a number",
      this.#truths > 0 && "true or false",
      this.#texts > 0 && "a text",
    ].filter((kind) => kind !== false);
    if (kinds.length === 0) {
      return {
        why: "was null or no number each time: nothing says what it is",
      };
    }
    if (this.#isLong && this.#numbers + this.#truths === 0) {
      return { why: `is a text of more than ${MAX_TEXT_LENGTH} characters` };
    }
    const most = Math.max(this.#numbers, this.#truths, this.#texts);
    const value: Value = this.#numbers === most
      ? this.#last!
      : this.#truths === most
      ? this.#values.has("true")
      : JSON.parse(
        [...this.#values].find((one) => one.startsWith('"')) ?? '""',
      );
    const range = builtIn?.range;
    if (builtIn !== undefined && this.#numbers !== most) {
      return {
        value,
        why: `is a number in the built-in metrics, and ${
          kinds.join(" and ")
        } here: a [[metric]] table with this path says what it is`,
      };
    }
    if (range && (this.#min < range[0] || this.#max > range[1])) {
      return {
        value,
        why: `is ${range[0]} to ${
          range[1]
        } in the built-in metrics, and ${this.seen} here: give it a [[metric]] table with a scale or a range`,
      };
    }
    if (kinds.length > 1) {
      return { value, why: `is ${kinds.join(" and ")}: only one can be used` };
    }
    return { value };
  }

  /** What was seen, in short. */
  get seen(): string {
    if (this.#numbers > 0) {
      return this.#min === this.#max
        ? `${this.#min}`
        : `${this.#min} to ${this.#max}`;
    }
    const texts = [...this.#values].slice(0, MOST_TEXTS).map(escapeTricks);
    const more = this.#values.size > MOST_TEXTS ? " …" : "";
    return texts.join(", ") + more;
  }
}
