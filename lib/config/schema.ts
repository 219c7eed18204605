/**
 * The configuration's one schema: it makes the types, the defaults and what the messages ask for.
 *
 * Field names are those of config.toml. Relative paths are resolved and secrets are filled in by
 * `loadConfig`, so a `Config` needs no look at the file or the environment any more.
 *
 * @module
 */

import * as z from "zod";
import { STATE_TOPICS } from "../catalogue.ts";
import {
  BOARD_KEYS,
  boardList,
  boardsOf,
  gatewayTable,
} from "./board_schema.ts";
import {
  lineText,
  METRIC_KEYS,
  metricList,
  plainText,
} from "./metric_schema.ts";
import { TOKEN_CHARACTERS } from "./secrets.ts";
import { parseBrokerUrl, parseHttpUrl } from "./url.ts";
import { parseDuration } from "./duration.ts";

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

// A parser that is compiled first pays only where it parses often.
z.config({ jitless: true });

const file = plainText;
const startAt = z.enum(["now", "oldest"]);

const brokerUrl = z.string().transform(attempt(parseBrokerUrl));
const mqtt = z.strictObject({
  broker_url: z.preprocess(
    (value) => Array.isArray(value) ? value : [value],
    z.array(brokerUrl).min(1).max(10),
  ),
  client_id: z.string().regex(
    /^[^\s\p{C}]{1,128}$/u,
    "must be 1 to 128 visible characters",
  ),
  topic_prefix: z.string().max(200)
    .regex(/^[^+#\p{Cc}]*$/u, 'must not contain "+", "#" or control characters')
    .regex(/^(?!\$)/, 'must not begin with "$"')
    .regex(
      /^[^/]+(\/[^/]+)*$/,
      'must be levels with one "/" between them and none around them',
    ),
  qos: z.literal([0, 1, 2]).default(1),
  username: plainText.optional(),
  password: z.string().min(1).optional(),
  password_file: file.optional(),
  retain: z.boolean().default(true),
  state_topics: z.boolean().default(true),
  keepalive_s: z.int().min(5).max(600).default(15),
  connect_timeout_s: z.int().min(1).max(60).default(10),
  ack_timeout_s: z.int().min(1).max(120).default(15),
  max_inflight: z.int().min(1).max(65535).default(1000),
  max_messages_per_s: z.number().gt(0).optional(),
  live_within_s: z.int().min(1).max(86400).default(60),
  ca_file: file.optional(),
  cert_file: file.optional(),
  key_file: file.optional(),
  replay: z.enum(["all", "live_first", "latest"]).default("all"),
  start_at: startAt.default("now"),
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
const influxdb = z.strictObject({
  url: z.string().transform(attempt(parseHttpUrl)),
  org: plainText,
  bucket: plainText,
  token: z.string({
    error: ({ input }) => input === undefined ? TOKEN_HINT : undefined,
  })
    .min(1).regex(TOKEN_CHARACTERS, "must be visible ASCII characters"),
  token_file: file.optional(),
  tags: z.record(
    lineText.regex(
      /^(?!_)(?!(node|unit|board|clock|time)$)/,
      'must not begin with "_" and must not be "node", "unit", "board", "clock" or "time"',
    ),
    lineText,
  ).default({}),
  timeout_s: z.int().min(1).max(120).default(20),
  max_lines: z.int().min(1).max(5000).default(5000),
  start_at: startAt.default("oldest"),
});

const journalTable = z.strictObject({
  folder: file.default("journal"),
  max_megabytes: z.int().min(8).max(1_000_000).default(64),
  reserve: z.boolean().default(true),
  history: z.string().default("30d").transform(attempt(parseDuration)),
});
const journal = journalTable.transform(({ history, ...rest }) => ({
  ...rest,
  history_s: history,
}));

const clock = z.strictObject({
  trust: z.boolean().default(false),
  hold_s: z.int().min(0).max(86400).default(300),
});

const broker = z.strictObject({
  host: plainText.regex(/^\S+$/, "must not contain spaces").default(
    "127.0.0.1",
  ),
  port: z.int().min(1).max(65535).default(1883),
});

const log = z.strictObject({
  level: z.enum(["debug", "info", "warning", "error"]).default("info"),
  format: z.enum(["text", "json"]).default("text"),
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
  return z.strictObject({
    mqtt: mqtt.optional(),
    influxdb: influxdb.optional(),
    gateway: gatewayTable.prefault({}),
    board: boardList,
    journal: journal.prefault({}),
    clock: clock.prefault({}),
    broker: broker.prefault({}),
    log: log.prefault({}),
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
  })).transform(({ metric, gateway, board, ...rest }) => ({
    ...rest,
    gateway: { stop_timeout_s: gateway.stop_timeout_s },
    boards: boardsOf(gateway, board),
    metrics: metric,
  }));
}

/** A check over several keys that also runs when one of them is faulty, so all faults come at once. */
function always<T>(look: z.core.CheckFn<T>): z.core.$ZodCheck<T> {
  const check = z.check<T>(look);
  check._zod.def.when = ({ value }) =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return check;
}

/** Turns a parser that throws into a transform that reports. */
function attempt<T>(parse: (text: string) => T) {
  return (text: string, context: z.RefinementCtx): T => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
      return z.NEVER;
    }
  };
}
