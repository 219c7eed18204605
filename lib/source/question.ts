/**
 * A program run for its answer: it prints something short and ends.
 *
 * @module
 */

import { escapeTricks, stripColours } from "./firmware_text.ts";
import { NEUTRAL_FOLDER, signalGroup } from "./program.ts";

/** Options for {@linkcode ask}. */
export interface AskOptions {
  /** The program's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Aborted when the answer is not wanted any more. */
  readonly signal: AbortSignal;
}

/** What a program answered. */
export interface Answer {
  readonly success: boolean;
  /** The first line of what it printed, or why there is none. */
  readonly text: string;
  /** All that it printed, a line each; empty where it gave no answer. */
  readonly lines: readonly string[];
}

const ANSWER_WITHIN_MS = 10_000;
const MAX_LINE_LENGTH = 200;

/** Runs the program at the absolute path `program` for an answer. Does not reject. */
export async function ask(
  program: string,
  args: readonly string[],
  { env, signal }: AskOptions,
): Promise<Answer> {
  let late = false;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args: [...args],
      env: { ...env },
      clearEnv: true,
      cwd: NEUTRAL_FOLDER,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
  } catch (error) {
    return noAnswer(error instanceof Error ? error.message : `${error}`);
  }
  // Nothing is at stake in a question, so there is no need to end it gently.
  const kill = () => signalGroup(child.pid, "SIGKILL");
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, ANSWER_WITHIN_MS);
  signal.addEventListener("abort", kill);
  if (signal.aborted) kill();
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  signal.removeEventListener("abort", kill);
  if (late) return noAnswer(`no answer within ${ANSWER_WITHIN_MS / 1000} s`);
  const said = stripColours(
    new TextDecoder().decode(success ? stdout : stderr),
  );
  const lines = said.trim().split(/\r?\n/)
    .map((line) => escapeTricks(line).slice(0, MAX_LINE_LENGTH));
  return { success, text: lines[0] ?? "", lines };
}

function noAnswer(text: string): Answer {
  return { success: false, text, lines: [] };
}
