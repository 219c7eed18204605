/**
 * The sinks that the configuration has, and the journal that gives to them.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Boot } from "../clock/boot.ts";
import { rereadSecret, TOKEN_CHARACTERS } from "../config/config.ts";
import type { Config } from "../config/schema.ts";
import type { AsyncDisk } from "../journal/disk.ts";
import { journalPath } from "../journal/folder.ts";
import { Journal } from "../journal/journal.ts";
import { InfluxdbSink, type InfluxdbSinkOptions } from "../sink/influxdb.ts";
import { MqttSink, type MqttSinkOptions } from "../sink/mqtt.ts";
import { Secret } from "../sink/secret.ts";
import type { Sink } from "../sink/sink.ts";

/** What the sinks need from the rest of the gateway. */
export interface SinkNeeds
  extends
    Omit<MqttSinkOptions, "password">,
    Omit<InfluxdbSinkOptions, "token"> {
  /** Is told a secret that was changed in its file, before it is used. @default {nobody needs to know} */
  hideSecret?(secret: string): void;
}

/** The sinks that the configuration has, and where a new one's cursor begins. */
export function createSinks(
  { mqtt, influxdb }: Pick<Config, "mqtt" | "influxdb">,
  { hideSecret: hide = () => {}, ...options }: SinkNeeds,
): { sink: Sink; startAt: "now" | "oldest" }[] {
  const log = (name: string) => getLogger(["gateway", name]);
  const sinks: { sink: Sink; startAt: "now" | "oldest" }[] = [];
  if (mqtt !== undefined) {
    log("mqtt").info("Creating MQTT client");
    const { password: value, password_file: file } = mqtt;
    const password = value === undefined
      ? {}
      : { password: new Secret({ value, file, read: rereadSecret, hide }) };
    const sink = new MqttSink(mqtt, { ...options, ...password });
    sinks.push({ sink, startAt: mqtt.start_at });
  }
  if (influxdb !== undefined) {
    log("influxdb").info("Creating InfluxDB client");
    const { token: value, token_file: file } = influxdb;
    const read = (file: string) => rereadSecret(file, TOKEN_CHARACTERS);
    const token = new Secret({ value, file, read, hide });
    const sink = new InfluxdbSink(influxdb, { ...options, token });
    sinks.push({ sink, startAt: influxdb.start_at });
  }
  return sinks;
}

/** Opens the journal, or makes it; the folder's lock is the caller's. */
export async function openJournal(
  { journal }: Pick<Config, "journal">,
  sinks: ReturnType<typeof createSinks>,
  disk: AsyncDisk,
  { boot, now }: { readonly boot: Boot; now(): number },
): Promise<Journal> {
  return await Journal.open({
    disk,
    path: journalPath(journal.folder),
    maxBytes: journal.max_megabytes * 1e6,
    historyS: journal.history_s,
    reserve: journal.reserve,
    sinks: sinks.map(({ sink: { name, target, needsTime }, startAt }) => ({
      name,
      target,
      startAt,
      needsTime: needsTime ?? false,
    })),
    bootId: boot.id,
    monotonicUs: boot.monotonicUs,
    now,
  });
}
