/**
 * `iiot-gateway export`: the journal's readings as a file, while a gateway runs or not.
 *
 * @module
 */

import { JournalReader } from "../journal/reader.ts";
import { existingJournal } from "./by_hand.ts";
import { loadConfigFile, WITHOUT_LOGIN } from "./config.ts";
import { createExportFormat, type ExportFormatName } from "./export_format.ts";
import { Output } from "./terminal/output.ts";
import { Progress } from "./terminal/progress.ts";
import { stopSignal } from "./stop_signal.ts";
import { complain } from "./terminal/terminal.ts";

/** Options of the command. */
export interface ExportOptions {
  /** Path of config.toml. */
  readonly config: string;
  readonly format: ExportFormatName;
  /** Microseconds since 1970: from here on, and before there. */
  readonly from: number;
  readonly to: number;
  /** A file to make; undefined: stdout. */
  readonly output?: string | undefined;
}

/**
 * Writes the readings of all packets of a time, in the order of the journal.
 *
 * @returns the exit code: 0, also when the reader has seen enough; 1 if it was interrupted
 * @throws {ConfigError} if the configuration is wrong
 */
export async function exportJournal(options: ExportOptions): Promise<number> {
  const { format: name, from, to, output: file } = options;
  const config = await loadConfigFile(options.config, WITHOUT_LOGIN);
  using reader = new JournalReader(await existingJournal(config));
  using stop = stopSignal();
  using output = await Output.open(file);
  using progress = new Progress(
    Deno.stderr.isTerminal() &&
      (file !== undefined || !Deno.stdout.isTerminal()),
  );
  const format = createExportFormat(name, config);
  // A reader that stands still must not keep Ctrl-C from ending this.
  const aborted = new Promise<void>((resolve) =>
    stop.signal.addEventListener("abort", () => resolve())
  );
  const write = (text: string) => Promise.race([output.write(text), aborted]);
  const count = { packets: 0, readings: 0, unknown: 0, damaged: 0 };
  try {
    await write(format.head);
    const range = { fromUs: from, toUs: to };
    for (const { rows, damaged, part } of reader.packets(range)) {
      if (stop.signal.aborted) break;
      count.packets += rows.length;
      count.damaged += damaged;
      let text = "";
      for (const row of rows) {
        for (const reading of row.readings) {
          const line = format.line(row, reading);
          if (line === undefined) count.unknown++;
          else {
            text += line;
            count.readings++;
          }
        }
      }
      await write(text);
      progress.show(part, `${count.packets} packets`);
      // A page is read without a pause: here signals have their turn.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  } catch (error) {
    // `| head` has seen enough.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    throw error;
  }
  progress[Symbol.dispose]();
  if (count.damaged > 0) {
    complain(
      `${count.damaged} packets are damaged on the disk, and left out`,
    );
  }
  if (count.unknown > 0) {
    complain(
      `${count.unknown} readings are left out: the configuration has no [[metric]] for their paths, or one of another type`,
    );
  }
  const sum = `${count.readings} readings of ${count.packets} packets`;
  if (stop.signal.aborted) {
    complain(`Interrupted after ${sum}: the export is not complete`);
    return 1;
  }
  if (file !== undefined) complain(`${sum} are in ${file}`);
  return 0;
}
