/**
 * The program as its users start it, for tests: from source, and as the executable where
 * `IIOT_GATEWAY_EXECUTABLE` names one.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** One way to start the program. */
export interface Program {
  /** `source` or `executable`, for the names of tests. */
  readonly form: string;
  /** Program and first arguments. */
  readonly command: readonly string[];
}

/** The folder of the project, with a slash at its end. */
export const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** What V8 is told wherever the gateway starts: the executable is compiled with it. */
export const V8_FLAGS: readonly string[] = [
  ...new Set(
    Deno.readTextFileSync(`${PROJECT}deno.json`).match(/--v8-flags=\S+/g),
  ),
];

/** Every way that is there. */
export const PROGRAMS: readonly Program[] = programs();

function programs(): Program[] {
  const flags = ["run", "-q", "-P", "--no-prompt", ...V8_FLAGS];
  flags.push(`${PROJECT}main.ts`);
  const found = [{ form: "source", command: [Deno.execPath(), ...flags] }];
  const executable = Deno.env.get("IIOT_GATEWAY_EXECUTABLE");
  if (executable) found.push({ form: "executable", command: [executable] });
  return found;
}

/** What a process left behind. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `command` to its end; its texts come without colours. */
export async function runToEnd(
  command: readonly string[],
  options: Pick<Deno.CommandOptions, "cwd" | "env" | "clearEnv"> = {},
): Promise<Ended> {
  const [program, ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args,
    stdin: "null",
    ...options,
    env: { NO_COLOR: "1", ...options.env },
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}
