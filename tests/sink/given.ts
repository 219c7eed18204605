/**
 * Configurations and rows for the tests of the sinks.
 *
 * @module
 */

import { createCatalogue } from "../../lib/catalogue.ts";
import type { InfluxdbConfig, MqttConfig } from "../../lib/config/schema.ts";
import type { Finding, Row, Value } from "../../lib/model.ts";
import { InfluxdbSink } from "../../lib/sink/influxdb.ts";
import { MqttSink, type MqttSinkOptions } from "../../lib/sink/mqtt.ts";
import type {
  Sink,
  SinkOpenOptions,
  SinkSession,
} from "../../lib/sink/sink.ts";

/** The time of every test: the clocks of the sinks stand still. */
export const NOW_US = 1_700_000_000_000_000;

/** `[mqtt]` for `url`, with the defaults of the configuration but short deadlines. */
export function mqttConfig(
  url: string | string[],
  config: Partial<MqttConfig> = {},
): MqttConfig {
  return {
    broker_url: [url].flat(),
    client_id: "gateway",
    topic_prefix: "iiot",
    qos: 1,
    retain: true,
    state_topics: true,
    keepalive_s: 15,
    connect_timeout_s: 1,
    ack_timeout_s: 1,
    max_inflight: 1_000,
    live_within_s: 60,
    replay: "all",
    start_at: "now",
    ...config,
  };
}

/** A sink for {@linkcode mqttConfig}. */
export function mqttSink(
  url: string | string[],
  config: Partial<MqttConfig> = {},
  options: Partial<MqttSinkOptions> = {},
): MqttSink {
  return new MqttSink(mqttConfig(url, config), {
    catalogue: createCatalogue(),
    isNewest: () => false,
    latest: () => [],
    now: () => NOW_US,
    ...options,
  });
}

/** `[influxdb]` for `url`, with the defaults of the configuration but short deadlines. */
export function influxdbConfig(
  url: string,
  config: Partial<InfluxdbConfig> = {},
): InfluxdbConfig {
  return {
    url,
    org: "my-org",
    bucket: "telemetry",
    token: "secret-token",
    tags: {},
    timeout_s: 1,
    max_lines: 5_000,
    start_at: "oldest",
    ...config,
  };
}

/** A sink for {@linkcode influxdbConfig}. */
export function influxdbSink(
  url: string,
  config: Partial<InfluxdbConfig> = {},
): InfluxdbSink {
  return new InfluxdbSink(influxdbConfig(url, config), {
    catalogue: createCatalogue(),
    now: () => NOW_US,
  });
}

/** A row of the given readings, measured `seq` milliseconds after ten seconds before {@linkcode NOW_US}. */
export function row(
  seq: number,
  readings: Record<string, Value>,
  given: Partial<Row> = {},
): Row {
  return {
    seq,
    board: "",
    timeUs: NOW_US - 10_000_000 + seq * 1_000,
    timeQuality: "known",
    boardTs: null,
    readings: Object.entries(readings).map(([path, value]) => ({
      path,
      value,
    })),
    total: seq * Object.keys(readings).length,
    ...given,
  };
}

/** `count` rows of nine readings, the first one with `firstSeq`; each value names its row. */
export function fullRows(firstSeq: number, count: number): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const seq = firstSeq + index;
    return row(seq, {
      "n1.t": seq / 10,
      "n1.h": seq / 10,
      "n1.g": seq,
      "n2.t": seq / 10,
      "n2.p": seq / 10,
      "sig.rssi": -seq,
      "sig.snr": seq,
      "sts.rx": seq,
      "sts.err": seq,
    });
  });
}

/** A session that has nothing delivered before, unless `given` says otherwise. */
export function open(
  sink: Sink,
  given: Partial<SinkOpenOptions> = {},
): Promise<SinkSession> {
  return sink.open({
    signal: new AbortController().signal,
    deliveredTo: 0,
    isDone: () => false,
    ...given,
  });
}

/** Everything that `check` finds. */
export function findings(
  sink: Sink,
  writeTestPoint = false,
): Promise<Finding[]> {
  const { signal } = new AbortController();
  return Array.fromAsync(sink.check({ signal, writeTestPoint }));
}
