/**
 * As much of a terminal as the program uses: what stands on the screen after what was written.
 *
 * @module
 */

/** A screen of so many columns and rows; what goes beyond its top is forgotten. */
export class TinyTerminal {
  readonly columns: number;
  readonly rows: number;
  isCursorShown = true;
  #lines: string[] = [""];
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  /** The lines without colours and without spaces at their ends; empty ones at the end are left out. */
  get screen(): string[] {
    const lines = this.#lines.map((one) => one.trimEnd());
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** Takes what a program writes. @throws {Error} for what it does not know */
  write(text: string): void {
    // deno-lint-ignore no-control-regex -- that is what terminals are told by
    const parts = text.matchAll(/\x1b\[(\??\d*)([A-Za-z])|\r|\n|./gsu);
    for (const [part, parameter = "", command] of parts) {
      if (command !== undefined) this.#command(parameter, command);
      else if (part === "\r") this.#column = 0;
      else if (part === "\n") this.#down();
      else if (/\p{Cc}/u.test(part)) {
        throw new Error(`A control character: ${JSON.stringify(part)}`);
      } else this.#put(part);
    }
  }

  #command(parameter: string, command: string): void {
    const line = this.#lines[this.#row]!;
    switch (command) {
      case "A":
        this.#row = Math.max(0, this.#row - Number(parameter || 1));
        break;
      case "B":
        for (let i = Number(parameter || 1); i > 0; i--) this.#down();
        break;
      case "D":
        this.#column = Math.max(0, this.#column - Number(parameter || 1));
        break;
      case "G":
        this.#column = Number(parameter || 1) - 1;
        break;
      case "H":
        this.#row = this.#column = 0;
        break;
      case "J":
        this.#lines.length = this.#row + 1;
        this.#lines[this.#row] = line.slice(0, this.#column);
        break;
      case "K":
        this.#lines[this.#row] = parameter === "2"
          ? ""
          : line.slice(0, this.#column);
        break;
      case "m":
        break;
      case "h":
      case "l":
        if (parameter !== "?25") throw new Error(`A mode: ${parameter}`);
        this.isCursorShown = command === "h";
        break;
      default:
        throw new Error(`An escape sequence: ${parameter}${command}`);
    }
  }

  #put(character: string): void {
    if (this.#column === this.columns) {
      this.#column = 0;
      this.#down();
    }
    const line = this.#lines[this.#row]!.padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character +
      line.slice(this.#column + 1);
    this.#column++;
  }

  #down(): void {
    this.#row++;
    this.#lines[this.#row] ??= "";
    if (this.#row < this.rows) return;
    this.#lines.shift();
    this.#row--;
  }
}
