/**
 * The commands on rejects, as they stand on the command line.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { parseMoment, TIMES } from "./moment.ts";
import { wholeNumber } from "./numbers.ts";

const HELP = `
Rejects are lines of the board that could not be used, values that cannot be, and readings that a
server refused for good; the journal keeps the newest 2 MiB of them.
${TIMES}

Examples:
  iiot-gateway rejects                                see the newest twenty
  iiot-gateway rejects --origin influxdb --since 1d   what InfluxDB refused since yesterday
  iiot-gateway rejects resend --origin source         after config.toml is mended and the gateway
                                                      started again
  iiot-gateway rejects clear --yes                    delete all`;

const LIST_HELP = `
Examples:
  iiot-gateway rejects list --limit 100
  iiot-gateway rejects --json | jq .reason`;

const RESEND_HELP = `
What a server refused goes to that server again. A line is read anew, by the configuration that the
gateway was started with: what is usable now goes to every server, with the time at which the line
was read; of a line whose other values have gone out already only the one that was left out does.
What is still unusable stays.

Examples:
  iiot-gateway rejects resend                    all
  iiot-gateway rejects resend 17 18              these
  iiot-gateway rejects resend --origin influxdb --since 2026-11-23T10:00:00Z`;

const EXPORT_HELP = `
Examples:
  iiot-gateway rejects export > rejects.jsonl
  iiot-gateway rejects export --origin source --output rejects.jsonl`;

const CLEAR_HELP = `
Examples:
  iiot-gateway rejects clear --origin influxdb
  iiot-gateway rejects clear 17 18 --yes`;

const IDS = ["[id...]", "only these", collectIds] as const;

/** Adds them to `rejects`; its arguments are given with "list" where they name none. */
export function addRejectsCommands(
  rejects: Command,
  config: readonly [flags: string, description: string, file: string],
  end: (exitCode: number) => void,
): void {
  const load = () => import("./rejects.ts");
  const add = (name: string, description: string, help: string) =>
    rejects.command(name)
      .description(description)
      .option("-c, --config <file>", config[1], config[2])
      .option("--origin <name>", "only those of source, mqtt or influxdb")
      .option("--since <time>", "only those from here on", parseMoment)
      .addHelpText("after", help);

  rejects.description("Shows what could not be used; sends it again")
    .helpCommand(false)
    .addHelpText("after", HELP);

  add("list", "Shows them, the newest last; what no name means", LIST_HELP)
    .option("--limit <n>", "the newest so many", wholeNumber(1, 100_000), 20)
    .option("--json", "for programs: an object a line, with the whole body")
    .action(async ({ since, json, ...options }) => {
      const { listRejects } = await load();
      end(
        await listRejects({
          ...options,
          sinceUs: finite(since),
          json: json === true,
        }),
      );
    });

  add("resend", "Sends them again, once the cause is mended", RESEND_HELP)
    .argument(...IDS)
    .action(async (ids, { since, ...options }) => {
      const { resendRejects } = await load();
      end(
        await resendRejects({
          ...options,
          ids: orAll(ids),
          sinceUs: finite(since),
        }),
      );
    });

  add("export", "Writes them whole, an object a line", EXPORT_HELP)
    .option("--output <file>", "a file to make, instead of stdout")
    .action(async ({ since, ...options }) => {
      const { exportRejects } = await load();
      end(await exportRejects({ ...options, sinceUs: finite(since) }));
    });

  add("clear", "Deletes them for good", CLEAR_HELP)
    .argument(...IDS)
    .option("--yes", "do not ask")
    .action(async (ids, { since, yes, ...options }) => {
      const { clearRejects } = await load();
      end(
        await clearRejects({
          ...options,
          ids: orAll(ids),
          sinceUs: finite(since),
          yes: yes === true,
        }),
      );
    });
}

function collectIds(text: string, before: readonly number[] = []): number[] {
  return [...before, wholeNumber(1, Number.MAX_SAFE_INTEGER)(text)];
}

/** Where none is named, each is meant. */
function orAll(ids: readonly number[]): readonly number[] | undefined {
  return ids.length === 0 ? undefined : ids;
}

/** "oldest" is no limit. */
function finite(us: number | undefined): number | undefined {
  return us !== undefined && Number.isFinite(us) ? us : undefined;
}
