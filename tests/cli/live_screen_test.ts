import assert from "node:assert/strict";
import { LiveScreen } from "../../lib/cli/terminal/live_screen.ts";
import { TinyTerminal } from "./tiny_terminal.ts";

function createScreen(columns = 20, rows = 6) {
  const terminal = new TinyTerminal(columns, rows);
  const size = { columns, rows };
  terminal.write("before\r\n");
  const screen = new LiveScreen({
    write: (text) => terminal.write(text),
    size: () => size,
  });
  return { terminal, screen, size };
}

Deno.test("LiveScreen writes over its lines, below what was there before", () => {
  const { terminal, screen } = createScreen();
  screen.draw(["one", "two, longer", "three"]);
  screen.draw(["1", "2", "3", "4"]);
  assert.deepEqual(terminal.screen, ["before", "1", "2", "3", "4"]);
  screen.draw(["only"]);
  assert.deepEqual(terminal.screen, ["before", "only"]);
});

Deno.test("LiveScreen leaves its lines, and the cursor shown below them", () => {
  const { terminal, screen } = createScreen();
  assert.equal(terminal.isCursorShown, false);
  screen.draw(["one", "two"]);
  screen[Symbol.dispose]();
  screen[Symbol.dispose]();
  screen.draw(["too late"]);
  assert.equal(terminal.isCursorShown, true);
  terminal.write("$ ");
  assert.deepEqual(terminal.screen, ["before", "one", "two", "$"]);
});

Deno.test("LiveScreen draws no more lines than there are rows, and always over the same", () => {
  const { terminal, screen } = createScreen(20, 4);
  for (let i = 0; i < 3; i++) {
    screen.draw([..."abcdef"].map((one) => `${one}${i}`));
  }
  assert.deepEqual(terminal.screen, ["a2", "b2", "c2", "d2"]);
});

Deno.test("LiveScreen begins anew at the top once the window has another size", () => {
  const { terminal, screen, size } = createScreen();
  screen.draw(["a wide line", "b"]);
  // What the terminal makes of it meanwhile.
  terminal.write("\r\nwrapped\r\nwrapped");
  size.columns = 10;
  screen.draw(["a", "b"]);
  assert.deepEqual(terminal.screen, ["a", "b"]);
  screen.draw(["c", "d"]);
  assert.deepEqual(terminal.screen, ["c", "d"]);
});

Deno.test("LiveScreen takes a terminal that does not know its size for one of 80 by 24", () => {
  const { screen, size } = createScreen();
  size.columns = size.rows = 0;
  assert.deepEqual(screen.size, { columns: 80, rows: 24 });
});

Deno.test("LiveScreen gives the terminal back while it is suspended", () => {
  const { terminal, screen } = createScreen(20, 10);
  screen.draw(["one", "two"]);
  screen.suspend();
  assert.equal(terminal.isCursorShown, true);
  terminal.write("$ fg\r\n");
  screen.resume();
  screen.draw(["three"]);
  assert.equal(terminal.isCursorShown, false);
  assert.deepEqual(terminal.screen, ["before", "one", "two", "$ fg", "three"]);
});
