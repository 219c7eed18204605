/**
 * What a simulated board, or a recording that is replayed, changes in a configuration, so that its
 * values can be told from a real board's:
 *
 * - They go into a journal of their own, `.dev/journal` or `.dev/replay` beside config.toml, that takes
 *   only the disk space it needs.
 * - They are sent under a client id of their own, so a gateway at the same broker keeps its place.
 * - Their points are tagged `simulated=true` or `replayed=true`. Topics are the real ones, or the guide's commands would
 *   show nothing.
 * - The clock of this machine is trusted: nobody waits for their points.
 * - They are not recorded: what is recorded is the board's.
 * - They go to loopback addresses only; a sink with another one is left out, unless that is forced.
 *
 * @module
 */

import { dirname, join } from "node:path";
import type { Config } from "../config/schema.ts";
import { isLoopback } from "../config/url.ts";

/** Whose values they are. */
export type Origin = "simulated" | "replayed";

/** A configuration for such values. */
export interface SimulatedConfig {
  readonly config: Config;
  /** What was left out, and how to have it: a sentence each. */
  readonly leftOut: readonly string[];
}

const FOLDERS: Readonly<Record<Origin, string>> = {
  simulated: "journal",
  replayed: "replay",
};

/** `config`, loaded from the file `path`, for the values of another origin than the board. */
export function simulatedConfig(
  config: Config,
  path: string,
  { as, force }: { readonly as: Origin; readonly force: boolean },
): SimulatedConfig {
  const leftOut: string[] = [];
  const keep = (key: string, urls: readonly string[]): boolean => {
    const away = urls.find((url) => !isLoopback(new URL(url).hostname));
    if (away === undefined || force) return true;
    const { protocol, host } = new URL(away);
    leftOut.push(
      `${key} is ${protocol}//${host}, not this machine: no ${as} values go there; --force sends them`,
    );
    return false;
  };
  const { mqtt, influxdb, boards, ...rest } = config;
  return {
    config: {
      ...rest,
      mqtt: mqtt && keep("mqtt.broker_url", mqtt.broker_url)
        ? { ...mqtt, client_id: `${mqtt.client_id}-${as}` }
        : undefined,
      influxdb: influxdb && keep("influxdb.url", [influxdb.url])
        ? { ...influxdb, tags: { ...influxdb.tags, [as]: "true" } }
        : undefined,
      boards: boards.map((board) => ({ ...board, record: undefined })),
      clock: { ...config.clock, trust: true },
      journal: {
        ...config.journal,
        folder: join(dirname(path), ".dev", FOLDERS[as]),
        reserve: false,
      },
    },
    leftOut,
  };
}
