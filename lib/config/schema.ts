/**
 * The configuration's one schema: it makes the types, the defaults and what the messages ask for.
 *
 * Field names are those of config.toml. Relative paths are resolved and secrets are filled in by
 * `loadConfig`, so a `Config` needs no look at the file or the environment any more.
 *
 * @module
 */

import * as z from "zod/mini";
import { STATE_TOPICS } from "../catalogue.ts";
import {
  BOARD_KEYS,
  boardList,
  boardsOf,
  gatewayTable,
} from "./board_schema.ts";
import { METRIC_KEYS, metricList } from "./metric_schema.ts";
import { TOKEN_CHARACTERS } from "./secrets.ts";
import { parseBrokerUrl, parseHttpUrl } from "./url.ts";
import { parseDuration } from "./duration.ts";
import { lineText, matching, parsed, plainText, whole } from "./values.ts";

/** Everything the gateway is told. */
export type Config = z.output<ReturnType<typeof createConfigSchema>>;
/**
 * The table `[mqtt]`; `broker_url` is a list whose URLs all name their port, `password` is filled in,
 * `password_file` is the file that it was read from, a systemd credential's too, and absent otherwise.
 */
export type MqttConfig = NonNullable<Config["mqtt"]>;
/** The table `[influxdb]`; `url` has no slash at its end, `token` and `token_file` as with `[mqtt]`. */
export type InfluxdbConfig = NonNullable<Config["influxdb"]>;
/** What the table `[gateway]` says of the gateway itself. */
export type GatewayConfig = Config["gateway"];
export type { BoardConfig } from "./board_schema.ts";
/** The table `[journal]`; `folder` is absolute, `history` has become `history_s`. */
export type JournalConfig = Config["journal"];
/** The table `[clock]`. */
export type ClockConfig = Config["clock"];
/** The table `[broker]`, the embedded one. */
export type BrokerConfig = Config["broker"];
/** The table `[log]`. */
export type LogConfig = Config["log"];

const file = plainText;
const startAt = z.enum(["now", "oldest"]);

const brokerUrl = z.pipe(z.string(), parsed(parseBrokerUrl));
const mqtt = z.strictObject({
  broker_url: z.pipe(
    z.transform((value) => Array.isArray(value) ? value : [value]),
    z.array(brokerUrl).check(z.minLength(1), z.maxLength(10)),
  ),
  client_id: matching(
    /^[^\s\p{C}]{1,128}$/u,
    "must be 1 to 128 visible characters",
  ),
  topic_prefix: z.string().check(
    z.maxLength(200),
    z.regex(
      /^[^+#\p{Cc}]*$/u,
      'must not contain "+", "#" or control characters',
    ),
    z.regex(/^(?!\$)/, 'must not begin with "$"'),
    z.regex(
      /^[^/]+(\/[^/]+)*$/,
      'must be levels with one "/" between them and none around them',
    ),
  ),
  qos: z._default(z.literal([0, 1, 2]), 1),
  username: z.optional(plainText),
  password: z.optional(z.string().check(z.minLength(1))),
  password_file: z.optional(file),
  retain: z._default(z.boolean(), true),
  state_topics: z._default(z.boolean(), true),
  keepalive_s: z._default(whole(5, 600), 15),
  connect_timeout_s: z._default(whole(1, 60), 10),
  ack_timeout_s: z._default(whole(1, 120), 15),
  max_inflight: z._default(whole(1, 65535), 1000),
  max_messages_per_s: z.optional(z.number().check(z.gt(0))),
  live_within_s: z._default(whole(1, 86400), 60),
  ca_file: z.optional(file),
  cert_file: z.optional(file),
  key_file: z.optional(file),
  replay: z._default(z.enum(["all", "live_first", "latest"]), "all"),
  start_at: z._default(startAt, "now"),
}).check(always(({ value, issues }) => {
  const alone = (key: "cert_file" | "key_file", other: string) =>
    issues.push({
      code: "custom",
      input: value,
      path: [key],
      message: `needs "mqtt.${other}" beside it`,
    });
  if (value.cert_file !== undefined && value.key_file === undefined) {
    alone("cert_file", "key_file");
  }
  if (value.key_file !== undefined && value.cert_file === undefined) {
    alone("key_file", "cert_file");
  }
}));

const TOKEN_HINT =
  "is missing: set it, or token_file, or the environment variable INFLUXDB_TOKEN";
const tagName = lineText.check(z.regex(
  /^(?!_)(?!(node|unit|board|clock|time)$)/,
  'must not begin with "_" and must not be "node", "unit", "board", "clock" or "time"',
));
const influxdb = z.strictObject({
  url: z.pipe(z.string(), parsed(parseHttpUrl)),
  org: plainText,
  bucket: plainText,
  token: z.string({
    error: ({ input }) => input === undefined ? TOKEN_HINT : undefined,
  }).check(
    z.minLength(1),
    z.regex(TOKEN_CHARACTERS, "must be visible ASCII characters"),
  ),
  token_file: z.optional(file),
  tags: z._default(z.record(tagName, lineText), {}),
  timeout_s: z._default(whole(1, 120), 20),
  max_lines: z._default(whole(1, 5000), 5000),
  start_at: z._default(startAt, "oldest"),
});

const journalTable = z.strictObject({
  folder: z._default(file, "journal"),
  max_megabytes: z._default(whole(8, 1_000_000), 64),
  reserve: z._default(z.boolean(), true),
  history: z.pipe(z._default(z.string(), "30d"), parsed(parseDuration)),
});
const journal = z.pipe(
  journalTable,
  z.transform(({ history, ...rest }) => ({ ...rest, history_s: history })),
);

const clock = z.strictObject({
  trust: z._default(z.boolean(), false),
  hold_s: z._default(whole(0, 86400), 300),
});

const broker = z.strictObject({
  host: z._default(
    plainText.check(z.regex(/^\S+$/, "must not contain spaces")),
    "127.0.0.1",
  ),
  port: z._default(whole(1, 65535), 1883),
});

const log = z.strictObject({
  level: z._default(z.enum(["debug", "info", "warning", "error"]), "info"),
  format: z._default(z.enum(["text", "json"]), "text"),
});

/** The keys of every table, by the table's name. */
export const KNOWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  mqtt: Object.keys(mqtt.shape),
  influxdb: Object.keys(influxdb.shape),
  gateway: Object.keys(gatewayTable.shape),
  board: BOARD_KEYS,
  journal: Object.keys(journalTable.shape),
  clock: Object.keys(clock.shape),
  broker: Object.keys(broker.shape),
  log: Object.keys(log.shape),
  metric: METRIC_KEYS,
};

/** The schema of config.toml, for a document whose secrets are filled in. */
export function createConfigSchema() {
  const document = z.strictObject({
    mqtt: z.optional(mqtt),
    influxdb: z.optional(influxdb),
    gateway: z.prefault(gatewayTable, {}),
    board: boardList,
    journal: z.prefault(journal, {}),
    clock: z.prefault(clock, {}),
    broker: z.prefault(broker, {}),
    log: z.prefault(log, {}),
    metric: metricList,
  }).check(always(({ value, issues }) => {
    if (value.mqtt !== undefined || value.influxdb !== undefined) return;
    const message =
      "At least one of the tables [mqtt] and [influxdb] must be there";
    issues.push({ code: "custom", input: value, message });
  })).check(always(({ value, issues }) => {
    if (value.mqtt?.state_topics !== true || !Array.isArray(value.metric)) {
      return;
    }
    const taken: readonly string[] = Object.values(STATE_TOPICS);
    value.metric.forEach((metric, index) => {
      const topic = `${metric?.node}/${metric?.name}`;
      if (!taken.includes(topic)) return;
      const message =
        `must not make the topic "${topic}", which tells how the ${metric.node} is, unless "mqtt.state_topics" is false`;
      const path = ["metric", index, "name"];
      issues.push({ code: "custom", input: value, path, message });
    });
  }));
  return z.pipe(
    document,
    z.transform(({ metric, gateway, board, ...rest }) => ({
      ...rest,
      gateway: { stop_timeout_s: gateway.stop_timeout_s },
      boards: boardsOf(gateway, board),
      metrics: metric,
    })),
  );
}

/** A check over several keys that also runs when one of them is faulty, so all faults come at once. */
function always<T>(look: z.core.CheckFn<T>): z.core.$ZodCheck<T> {
  const check = z.check<T>(look);
  check._zod.def.when = ({ value }) =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return check;
}
