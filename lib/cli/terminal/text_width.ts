/**
 * Text in columns of a terminal, which gives some characters two and some none.
 *
 * @module
 */

/** What stands above or within the character before it. */
const NO_COLUMN = /^[\p{Mn}\p{Me}\p{Cf}]/u;
/** East Asian wide and fullwidth blocks, and emoji (Unicode Standard Annex 11). */
const TWO_COLUMNS =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Emoji_Presentation}\u{20000}-\u{3fffd}]/u;
const ASCII = /^[ -~]*$/;

/** How many columns `text` takes; it holds no control characters. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** `text` in at most `columns`, its end replaced by `…` where it is longer. */
export function cutText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let width = 0;
  let cut = "";
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    cut += character;
  }
  return columns > 0 ? `${cut}…` : "";
}

/** `text` in lines of at most `columns`, broken at spaces where that can be; spaces before it stay. */
export function wrapText(text: string, columns: number): string[] {
  const lines: string[] = [];
  const indent = /^ */.exec(text)![0];
  let line = "";
  for (const word of text.slice(indent.length).split(" ")) {
    const longer = line === "" ? indent + word : `${line} ${word}`;
    if (line === "" || textWidth(longer) <= columns) line = longer;
    else {
      lines.push(line);
      line = indent + word;
    }
  }
  return [...lines, line].map((one) => cutText(one, columns));
}

/** `text` filled up with spaces to `columns`, on the right or, of numbers, on the left. */
export function padText(
  text: string,
  columns: number,
  side: "left" | "right" = "right",
): string {
  const spaces = " ".repeat(Math.max(0, columns - textWidth(text)));
  return side === "right" ? text + spaces : spaces + text;
}

function characterWidth(character: string): number {
  if (NO_COLUMN.test(character)) return 0;
  return TWO_COLUMNS.test(character) ? 2 : 1;
}
