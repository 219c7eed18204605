/**
 * What is wrong with this installation: asks each room's own check.
 *
 * @module
 */

import { catalogueOf } from "./catalogue.ts";
import { readBoot } from "./clock/boot.ts";
import { checkClock } from "./clock/check.ts";
import { Clock } from "./clock/clock.ts";
import { askSystem } from "./clock/synchronization.ts";
import { probesBeside } from "./config/board_schema.ts";
import type { BoardConfig, Config } from "./config/schema.ts";
import { isLoopback } from "./config/url.ts";
import type { GatewayReport } from "./control/protocol.ts";
import { formatDuration } from "./duration.ts";
import { checkJournal } from "./journal/folder.ts";
import type { Finding } from "./model.ts";
import { InfluxdbSink, type InfluxdbSinkOptions } from "./sink/influxdb.ts";
import { MqttSink, type MqttSinkOptions } from "./sink/mqtt.ts";
import type { Sink } from "./sink/sink.ts";
import { checkProbeRs } from "./source/probe_rs.ts";

/** Options for {@linkcode checkInstallation}. */
export interface CheckOptions {
  readonly config: Config;
  /** The environment of the board's program. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Also write one point to InfluxDB. */
  readonly writeTestPoint: boolean;
  /** How the gateway that runs stands; null when none does, or it does not answer. */
  readonly gateway: GatewayReport | null;
}

/** Looks at everything the gateway needs, and yields line by line as it learns. */
export async function* checkInstallation(
  { config, env, signal, writeTestPoint, gateway: running }: CheckOptions,
): AsyncIterable<Finding> {
  const { mqtt, influxdb, boards, journal } = config;
  yield* checkJournal(journal.folder, {
    maxBytes: journal.max_megabytes * 1e6,
    reserve: journal.reserve,
  });
  const clock = new Clock({
    trust: config.clock.trust,
    holdS: config.clock.hold_s,
    monotonicUs: (await readBoot()).monotonicUs,
    ask: askSystem,
  });
  const options: MqttSinkOptions & InfluxdbSinkOptions = {
    catalogue: catalogueOf(config),
    isNewest: () => false,
    latest: () => [],
    now: () => Date.now() * 1000,
    serverTime: ({ url, ...heard }) =>
      clock.hear("influxdb", {
        ...heard,
        isHere: isLoopback(new URL(url).hostname),
      }),
  };
  if (mqtt !== undefined) {
    const sink = new MqttSink(mqtt, options);
    const own = ownLink(running, sink);
    if (own !== undefined) yield own;
    // A session that stands proves more than a second client would, which some brokers do not want.
    if (own?.level !== "ok") yield* sink.check({ signal });
  }
  if (influxdb !== undefined) {
    const sink = new InfluxdbSink(influxdb, options);
    const own = ownLink(running, sink);
    if (own !== undefined) yield own;
    yield* sink.check({ signal, writeTestPoint });
  }
  const hasPoints = influxdb !== undefined;
  yield* checkClock(config.clock, { clock, ask: askSystem, signal, hasPoints });
  yield* checkBoards(boards, { env, signal });
}

/** What each board needs; what is found of several, as of their probe-rs, is said once. */
async function* checkBoards(
  boards: readonly BoardConfig[],
  options: Pick<CheckOptions, "env" | "signal">,
): AsyncIterable<Finding> {
  const said = new Set<string>();
  for (const board of boards) {
    const otherProbes = probesBeside(board, boards);
    const { env: ownEnv, ...keys } = board;
    const findings = checkProbeRs({ ...keys, ownEnv, otherProbes, ...options });
    for await (const finding of findings) {
      const ofAll = finding.subject === "probe-rs";
      const subject = ofAll || board.name === ""
        ? finding.subject
        : `${finding.subject} of ${board.name}`;
      const text = JSON.stringify({ ...finding, subject });
      if (!said.has(text)) yield { ...finding, subject };
      said.add(text);
    }
  }
}

/** What the gateway that runs knows of the server of `sink`, if it uses the same one. */
function ownLink(
  running: GatewayReport | null,
  { name, target }: Sink,
): Finding | undefined {
  const link = running?.links[name];
  const isSame = running?.journal.sinks.some((one) =>
    one.name === name && one.target === target
  );
  if (link === undefined || !isSame || link.kind === "starting") return;
  const { kind, for_s, session, last_error, hint } = link;
  const since = formatDuration(for_s * 1000);
  const subject = "Gateway";
  if (kind === "connected") {
    return {
      level: "ok",
      subject,
      detail:
        `a gateway runs, its own session with ${name} has been up for ${since}: ${session}`,
    };
  }
  return {
    level: "warning",
    subject,
    detail:
      `a gateway runs, and has not been able to deliver to ${name} for ${since}: ${last_error?.message}`,
    hint: hint ?? "it goes on trying; the lines below say what it meets",
  };
}
