/**
 * `iiot-gateway watch`: what the broker has, as it comes.
 *
 * @module
 */

import { createCatalogue } from "../catalogue.ts";
import { rereadSecret } from "../config/config.ts";
import type { Config, MqttConfig } from "../config/schema.ts";
import { MqttDialer } from "../sink/mqtt_dialer.ts";
import { MqttWatcher } from "../sink/mqtt_watcher.ts";
import { Secret } from "../sink/secret.ts";
import { SinkError } from "../sink/sink.ts";
import { boardNamed } from "./board_choice.ts";
import { loadConfigFile } from "./config.ts";
import { localBrokerUrl } from "./local_broker.ts";
import { stopSignal } from "./stop_signal.ts";
import { complain, wantsColor, writeToStdout } from "./terminal/terminal.ts";
import { TerminalKeys } from "./terminal/terminal_keys.ts";
import { topicFilters } from "./watch/topic_filters.ts";
import { UsageError } from "./usage_error.ts";
import {
  jsonLine,
  LineDisplay,
  plainLine,
  TableDisplay,
  type WatchDisplay,
  type WatchSubject,
} from "./watch/views.ts";
import { MessageReader } from "./watch/watched_message.ts";

/** Options of the command. */
export interface WatchOptions {
  /** Path of config.toml. */
  readonly config: string;
  /** Only this board. @default {all} */
  readonly board?: string | undefined;
  /** The broker of `[broker]`. */
  readonly embeddedBroker: boolean;
  /** For programs. */
  readonly json: boolean;
}

/**
 * Shows each message below the prefix until it is told to stop.
 *
 * @param filters below the prefix; none: all
 * @returns the exit code, 0
 * @throws {ConfigError} if the configuration is wrong
 * @throws {UsageError} if a filter is none, or the board is not known
 * @throws {Error} if the broker does not let us in
 */
export async function watch(
  filters: readonly string[],
  options: WatchOptions,
): Promise<number> {
  const config = await loadConfigFile(options.config, {
    simulate: true,
    unused: ["influxdb"],
  });
  const mqtt = brokerOf(config, options);
  const board = options.board === undefined
    ? undefined
    : boardNamed(config, options.board).name;
  const wanted = topicFilters(filters, { prefix: mqtt.topic_prefix, board });
  const reader = new MessageReader(
    mqtt.topic_prefix,
    createCatalogue(config.metrics),
  );
  const subject = {
    filters: wanted.join(", "),
    advice: adviceOn(wanted, options.config),
  };
  using stop = stopSignal();
  const end = new AbortController();
  const signal = AbortSignal.any([stop.signal, end.signal]);
  await using stack = new AsyncDisposableStack();
  const display = stack.use(
    createDisplay(subject, reader, {
      isTable: !options.json && Deno.stdout.isTerminal() && !isDumb(),
      json: options.json,
      end: () => end.abort(),
    }),
  );
  if (display instanceof TableDisplay) {
    stack.use(new TerminalKeys({ display, end: () => end.abort() }));
  }
  const watcher = new MqttWatcher({
    config: mqtt,
    dialer: new MqttDialer(mqtt, passwordOf(mqtt)),
    filters: wanted,
    onMessage: (message) => display.onMessage(reader.read(message)),
    onState: (state) => display.onState(state),
  });
  try {
    await watcher.run(signal);
    return 0;
  } catch (error) {
    await stack.disposeAsync();
    if (!(error instanceof SinkError) || error.failure.kind !== "blocked") {
      throw error;
    }
    throw new Error(`${error.failure.message}. To do: ${error.failure.hint}`);
  }
}

/** @throws {UsageError} if the configuration has no broker */
function brokerOf(
  { mqtt, broker }: Config,
  { config, embeddedBroker }: WatchOptions,
): MqttConfig {
  if (mqtt === undefined) {
    throw new UsageError(
      `The configuration has no table [mqtt], so there is no broker to watch: add it to ${config}`,
    );
  }
  return embeddedBroker
    ? { ...mqtt, broker_url: [localBrokerUrl(broker)] }
    : mqtt;
}

/** Its file is read again when the broker refuses what it held. */
function passwordOf(
  { password: value, password_file: file }: MqttConfig,
): { readonly password?: Secret } {
  // One that stands elsewhere is read once, by every start of this command.
  if (value === undefined || file === undefined) return {};
  // There is no log that it would have to be hidden from.
  const hide = () => {};
  return { password: new Secret({ value, file, read: rereadSecret, hide }) };
}

function adviceOn(filters: readonly string[], config: string): string[] {
  const self = Deno.build.standalone ? "iiot-gateway" : "deno task start";
  return [
    `Nothing has come yet: waits for ${
      filters.join(" and ")
    }. If nothing does:`,
    `  ${self} status --config ${config}   whether the gateway runs, and what it has delivered`,
    `  ${self} check --config ${config}    whether it may publish there`,
    `  Compare mqtt.topic_prefix and mqtt.broker_url with the gateway's. A broker may also hide topics from this user by its access rules.`,
  ];
}

interface DisplayOptions {
  readonly isTable: boolean;
  readonly json: boolean;
  /** Nobody reads any more. */
  end(): void;
}

function createDisplay(
  subject: WatchSubject,
  reader: MessageReader,
  { isTable, json, end }: DisplayOptions,
): WatchDisplay {
  const encoder = new TextEncoder();
  if (isTable) {
    return new TableDisplay({
      subject,
      reader,
      color: wantsColor(Deno.stdout),
      write: writeAtOnce,
      size: () => Deno.consoleSize(),
    });
  }
  return new LineDisplay({
    subject,
    format: json ? jsonLine : plainLine,
    write: (text) => writeToStdout(encoder.encode(text)),
    say: complain,
    onGone: end,
  });

  function writeAtOnce(text: string): void {
    const bytes = encoder.encode(text);
    for (let written = 0; written < bytes.length;) {
      written += Deno.stdout.writeSync(bytes.subarray(written));
    }
  }
}

/** A terminal that cannot move its cursor. */
function isDumb(): boolean {
  return Deno.env.get("TERM") === "dumb";
}
