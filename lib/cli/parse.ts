/**
 * `iiot-gateway parse`: what lines would become, without a server.
 *
 * @module
 */

import { catalogueOf } from "../catalogue.ts";
import type { BoardConfig, Config } from "../config/schema.ts";
import { counted } from "../counted.ts";
import { boardNamed, chooseBoard } from "./board_choice.ts";
import {
  type CapturedBytes,
  openCapture,
  readCapture,
} from "./capture/captured_bytes.ts";
import { ParseAdvice } from "./parse/advice.ts";
import { loadParseConfig } from "./parse/config.ts";
import {
  ParseColumns,
  ParseFields,
  type ParseFormat,
  ParseJson,
} from "./parse/formats.ts";
import { type ParsedCounters, ParsedLines } from "./parse/parsed_lines.ts";
import { stopSignal } from "./stop_signal.ts";
import { complain, wantsColor, writeToStdout } from "./terminal/terminal.ts";

/** Options of the command. */
export interface ParseOptions {
  /** Path of config.toml. */
  readonly config: string;
  /** Whether it was named on the command line. */
  readonly isConfigNamed: boolean;
  /** The board's name. @default {the only one, or that of a recording} */
  readonly board?: string | undefined;
  /** For programs. */
  readonly json: boolean;
}

/**
 * Shows what each line would become until they end, or it is told to stop.
 *
 * @param file undefined, or "-": stdin
 * @returns the exit code: 0 if there was a packet, or the reader has seen enough; 1 if there was none
 * @throws {ConfigError} if the configuration is wrong
 * @throws {UsageError} if the file cannot be read, or the board is not known
 */
export async function parse(
  file: string | undefined,
  options: ParseOptions,
): Promise<number> {
  const { config, isFile } = await loadParseConfig(options.config, {
    isAskedFor: options.isConfigNamed,
  });
  using stop = stopSignal();
  const isStdin = file === undefined || file === "-";
  const from = isStdin ? "stdin" : `"${file}"`;
  const bytes = isStdin ? Deno.stdin.readable : await openCapture(file);
  if (isStdin && Deno.stdin.isTerminal()) {
    complain("Reads lines from the keyboard: paste some, Ctrl-D ends it");
  }
  if (!isFile) {
    complain(
      `There is no ${options.config} here: takes what is built in, with topics below ${config.mqtt?.topic_prefix}`,
    );
  }
  const capture = await readCapture(bytes, stop.signal);
  const board = boardOf(config, options.board, capture);
  const catalogue = catalogueOf(config);
  const lines = new ParsedLines({ config, board, catalogue });
  const advice = new ParseAdvice(board, catalogue);
  const format = createFormat(board, options.json);
  try {
    await show(capture, lines, format, advice);
    const said = sum(lines.counters);
    if (options.json) {
      await writeText(JSON.stringify(summary(lines, advice)));
    }
    complain(stop.signal.aborted ? `Interrupted: ${said}` : said);
  } catch (error) {
    // `| head` has seen enough.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    throw error;
  }
  const { counters, unknown } = lines;
  for (const sentence of advice.sentences(counters, { unknown, from })) {
    complain(sentence);
  }
  const fitsNot = !isFile || lines.counters.packets === 0;
  if (fitsNot && !isStdin && advice.proposals(unknown).length > 0) {
    const self = Deno.build.standalone ? "iiot-gateway" : "deno task start";
    // A file that is there is never overwritten.
    const made = isFile ? "my.toml" : options.config;
    complain("\nOr have a configuration made of them:");
    complain(`  ${self} init --from ${file} --config ${made}`);
  }
  return lines.counters.packets > 0 ? 0 : 1;
}

async function show(
  capture: CapturedBytes,
  lines: ParsedLines,
  format: ParseFormat,
  advice: ParseAdvice,
): Promise<void> {
  for await (const run of capture.runs) {
    for await (const entries of lines.read(run)) {
      const texts = entries.flatMap((entry) => {
        advice.take(entry);
        return format.lines(entry);
      });
      await writeText(texts.join("\n"));
    }
  }
}

/** The board that is asked for, or that a recording is of, or the only one. */
function boardOf(
  config: Config,
  name: string | undefined,
  capture: CapturedBytes,
): BoardConfig {
  if (name !== undefined) return boardNamed(config, name);
  const recorded = config.boards.find((one) => one.name === capture.board);
  return recorded ?? chooseBoard(config, undefined);
}

function createFormat(
  { name }: BoardConfig,
  json: boolean,
): ParseFormat {
  if (json) return new ParseJson(name);
  if (!Deno.stdout.isTerminal()) return new ParseFields();
  return new ParseColumns({
    // A terminal that does not know its width says 0.
    columns: () => Deno.consoleSize().columns || 80,
    color: wantsColor(Deno.stdout),
  });
}

function writeText(text: string): Promise<void> {
  return writeToStdout(new TextEncoder().encode(`${text}\n`));
}

/** `15 lines: 3 packets with 30 readings (1 of them dropped: 1 implausible), 2 rejects, 10 others` */
function sum(counters: ParsedCounters): string {
  const { lines, packets, readings, rejects, other, truncated } = counters;
  const dropped = [...counters.dropped];
  const count = dropped.reduce((all, [, one]) => all + one, 0);
  const drops = count === 0
    ? ""
    : ` (${count} of them dropped: ${
      dropped.map(([reason, one]) => `${one} ${reason}`).join(", ")
    })`;
  const cut = truncated === 0 ? "" : `, ${truncated} of these cut`;
  return `${counted(lines, "line")}: ${counted(packets, "packet")} with ${
    counted(readings, "reading")
  }${drops}, ${counted(rejects, "reject")}, ${counted(other, "other")}${cut}`;
}

function summary({ counters, unknown }: ParsedLines, advice: ParseAdvice) {
  return {
    kind: "summary",
    ...counters,
    dropped: Object.fromEntries(counters.dropped),
    proposals: advice.proposals(unknown),
  };
}
