/**
 * What is wrong with this installation: asks each room's own check.
 *
 * @module
 */

import { createCatalogue } from "./catalogue.ts";
import type { Config } from "./config/schema.ts";
import { checkJournal } from "./journal/folder.ts";
import type { Finding } from "./model.ts";
import { InfluxdbSink } from "./sink/influxdb.ts";
import { MqttSink } from "./sink/mqtt.ts";
import { checkProbeRs } from "./source/probe_rs.ts";

/** Options for {@linkcode checkInstallation}. */
export interface CheckOptions {
  readonly config: Config;
  /** The environment of the board's program. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Also write one point to InfluxDB. */
  readonly writeTestPoint: boolean;
}

/** Looks at everything the gateway needs, and yields line by line as it learns. */
export async function* checkInstallation(
  { config, env, signal, writeTestPoint }: CheckOptions,
): AsyncIterable<Finding> {
  const { mqtt, influxdb, gateway, journal } = config;
  yield* checkJournal(journal.folder, {
    maxBytes: journal.max_megabytes * 1e6,
  });
  const options = {
    catalogue: createCatalogue(config.metrics),
    isNewest: () => false,
    latest: () => [],
    now: () => Date.now() * 1000,
  };
  if (mqtt !== undefined) {
    yield* new MqttSink(mqtt, options).check({ signal });
  }
  if (influxdb !== undefined) {
    const sink = new InfluxdbSink(influxdb, options);
    yield* sink.check({ signal, writeTestPoint });
  }
  yield* checkProbeRs({ ...gateway, env, signal });
}
