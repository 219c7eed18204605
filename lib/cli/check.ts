/**
 * `iiot-gateway check`
 *
 * @module
 */

import { checkInstallation } from "../check.ts";
import { namedSecrets } from "../config/config.ts";
import type { Config } from "../config/schema.ts";
import { ask } from "../control/client.ts";
import { counted } from "../counted.ts";
import { MIN_HIDDEN_LENGTH } from "../log_line.ts";
import type { Finding } from "../model.ts";
import { childEnvironment } from "../source/program.ts";
import { loadConfigFile } from "./config.ts";
import { print, wantsColor } from "./terminal/terminal.ts";

/** Options of the command. */
export interface CheckCommandOptions {
  /** Path of config.toml. */
  readonly config: string;
  /** Also write one point to InfluxDB. */
  readonly writeTestPoint: boolean;
}

/**
 * Prints a line for each thing it looks at.
 *
 * @returns the exit code: 0, or 1 if anything failed
 * @throws {ConfigError} if the configuration is wrong
 */
export async function check(options: CheckCommandOptions): Promise<number> {
  const config = await loadConfigFile(options.config);
  const counts = { ok: 0, warning: 0, failed: 0 };
  const show = (finding: Finding) => {
    counts[finding.level]++;
    print(formatFinding(finding, wantsColor(Deno.stdout)));
  };
  show({
    level: "ok",
    subject: "Configuration",
    detail: `${options.config} is valid`,
  });
  for (const finding of checkSecrets(config)) show(finding);
  const gateway = await ask(
    config.journal.folder,
    { do: "status" },
    { withinMs: ANSWER_WITHIN_MS },
  ).catch(() => null);
  const findings = checkInstallation({
    config,
    gateway,
    env: childEnvironment((name) => Deno.env.get(name)),
    signal: AbortSignal.timeout(CHECK_WITHIN_MS),
    writeTestPoint: options.writeTestPoint,
  });
  for await (const finding of findings) show(finding);
  print(
    `\n${counts.ok} ok, ${
      counted(counts.warning, "warning")
    }, ${counts.failed} failed`,
  );
  return counts.failed > 0 ? 1 : 0;
}

/** Secrets that are too short to be hidden. */
export function checkSecrets(config: Config): Finding[] {
  return namedSecrets(config)
    .filter(({ text }) => text.length < MIN_HIDDEN_LENGTH)
    .map(({ name, text }) => ({
      level: "warning",
      subject: "Configuration",
      detail: `${name} has ${
        counted(text.length, "character")
      }, and a secret of fewer than ${MIN_HIDDEN_LENGTH} is not hidden in the log, in status and at the broker`,
      hint:
        'take a longer one; where the server asks for none, as VictoriaMetrics does, any text will do, such as "none"',
    }));
}

/** The longest that all of it may take. */
const CHECK_WITHIN_MS = 60_000;

/** The longest that the gateway that runs may take to say how it is. */
const ANSWER_WITHIN_MS = 5000;

const COLORS = { ok: 32, warning: 33, failed: 31 };

/**
 * A finding: in one line its level, what was looked at and what is so; below it what to do, and the lines
 * that do it, each ready to be pasted.
 */
export function formatFinding(
  { level, subject, detail, hint, fix = [] }: Finding,
  color: boolean,
): string {
  const word = level.padEnd(7);
  const mark = color ? `\x1b[${COLORS[level]}m${word}\x1b[0m` : word;
  const advice = hint === undefined
    ? []
    : [`${INDENT}To do: ${hint}${fix.length > 0 ? ":" : ""}`];
  return [
    `${mark}  ${subject.padEnd(14)} ${detail}`,
    ...advice,
    ...fix.map((line) => `${INDENT}    ${line}`),
  ].join("\n");
}

/** What shells and TOML pass over in a line that is pasted. */
const INDENT = " ".repeat(9);
