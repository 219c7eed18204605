/**
 * The part of the configuration that a restart may find changed: which sinks there are, and where they
 * lead.
 *
 * @module
 */

import type { Config, MqttConfig } from "../../lib/config/schema.ts";
import type { Random } from "./random.ts";
import type { Swarm } from "./swarm.ts";

/** Which sinks the configuration has, and where they lead. */
export interface SinkSetup {
  readonly mqtt: boolean;
  readonly influxdb: boolean;
  /** `mqtt.topic_prefix` */
  readonly prefix: string;
  /** `mqtt.replay` */
  readonly replay: MqttConfig["replay"];
  /** `influxdb.bucket` */
  readonly bucket: string;
}

/** What a world begins with. */
export function firstSinks({ replay }: Swarm): SinkSetup {
  return {
    mqtt: true,
    influxdb: true,
    prefix: "iiot",
    replay: replay.first,
    bucket: "telemetry",
  };
}

/** The same setup with another `mqtt.replay`, or the same one. */
export function changeReplay(sinks: SinkSetup, random: Random): SinkSetup {
  return { ...sinks, replay: random.pick(["all", "live_first", "latest"]) };
}

/** Another setup, with at least one sink. */
export function changeSinks(sinks: SinkSetup, random: Random): SinkSetup {
  const { mqtt, influxdb } = sinks;
  return random.pick<() => SinkSetup>([
    () => ({ ...sinks, mqtt: !mqtt || !influxdb }),
    () => ({ ...sinks, influxdb: !influxdb || !mqtt }),
    () => ({ ...sinks, prefix: random.pick(["iiot", "plant"]) }),
    () => ({ ...sinks, bucket: random.pick(["telemetry", "other"]) }),
  ])();
}

/** The tables of config.toml for this setup in this world. */
export function configOf(
  { mqtt, influxdb, prefix, replay, bucket }: SinkSetup,
  swarm: Swarm,
): Pick<Config, "mqtt" | "influxdb"> {
  const { messagesPerS } = swarm.mqtt;
  return {
    mqtt: mqtt
      ? {
        broker_url: ["mqtt://broker:1883"],
        client_id: "gateway",
        topic_prefix: prefix,
        qos: swarm.mqtt.qos,
        retain: swarm.mqtt.retain,
        state_topics: true,
        keepalive_s: 5,
        connect_timeout_s: 1,
        ack_timeout_s: 2,
        max_inflight: swarm.mqtt.maxInflight,
        replay,
        live_within_s: swarm.mqtt.liveWithinS,
        start_at: swarm.mqtt.startAt,
        ...(messagesPerS === undefined
          ? {}
          : { max_messages_per_s: messagesPerS }),
      }
      : undefined,
    influxdb: influxdb
      ? {
        url: "http://db:8086",
        org: "org",
        bucket,
        token: "token",
        tags: {},
        timeout_s: 2,
        max_lines: swarm.influxdb.maxLines,
        start_at: swarm.influxdb.startAt,
      }
      : undefined,
  };
}
