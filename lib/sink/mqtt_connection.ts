/**
 * One attempt to connect to one broker.
 *
 * Each attempt has an MQTT.js client of its own that never reconnects: its reconnecting resends behind
 * the journal's back, loses what was published offline, and stops for ever after a refusal.
 *
 * @module
 */

import type { IClientOptions, IConnackPacket, MqttClient } from "mqtt";
import type { MqttConfig } from "../config/schema.ts";
import { MqttAcks } from "./mqtt_acks.ts";
import { failureOfCode, mayForbidWill } from "./mqtt_answers.ts";
import type { MqttBroker } from "./mqtt_broker.ts";
import { UpperMessageIds } from "./mqtt_publisher.ts";
import type { LastWill } from "./mqtt_states.ts";
import { SinkError } from "./sink.ts";

/** Begins to connect with MQTT.js, or what a simulated world has in its place; `acks` reads first. */
export type ConnectClient = (
  options: IClientOptions,
  acks: MqttAcks,
) => MqttClient;

/** MQTT 5, or 4 for MQTT 3.1.1. */
export type MqttVersion = 4 | 5;

/** A connection on which the broker has said yes. */
export interface MqttConnection {
  readonly client: MqttClient;
  readonly acks: MqttAcks;
  readonly broker: MqttBroker;
  readonly version: MqttVersion;
  readonly limits: MqttLimits;
}

/** What the broker's CONNACK allows. MQTT 3.1.1 has no words for limits. */
export interface MqttLimits {
  readonly retain: boolean;
  readonly qos: 0 | 1 | 2;
  /** Messages of QoS 1 and 2 that may be unacknowledged at once. */
  readonly receiveMaximum: number;
  /** Bytes of a whole packet; Infinity where the broker names no limit. */
  readonly maximumPacketSize: number;
}

/** Thrown when the broker answered no, or nothing, to our version of MQTT. */
export class MqttRefusal extends SinkError {
  /** The code of its CONNACK; undefined when it closed the connection without one. */
  readonly code: number | undefined;

  constructor(failure: SinkError["failure"], code: number | undefined) {
    super(failure);
    this.name = "MqttRefusal";
    this.code = code;
  }
}

/** Options for {@linkcode connectMqtt}. */
export interface ConnectMqttOptions {
  readonly version: MqttVersion;
  readonly clientId: string;
  readonly signal: AbortSignal;
  /** @default {none} */
  readonly will?: LastWill | undefined;
  /** @default {with MQTT.js} */
  readonly connect?: ConnectClient;
}

/**
 * Connects, or leaves nothing behind.
 *
 * @throws {MqttRefusal} if the broker refused, or closed the connection without a word
 * @throws {SinkError} if it cannot be reached, or not within `mqtt.connect_timeout_s`
 */
export async function connectMqtt(
  broker: MqttBroker,
  config: MqttConfig,
  options: ConnectMqttOptions,
): Promise<MqttConnection> {
  const { version, clientId, signal, will } = options;
  // MQTT.js and the sockets below it are a third of what would be loaded before the first line is read
  // (`deno task bench --points start`).
  const connect = options.connect ??
    (await import("./mqtt_client.ts")).connectClient;
  const acks = new MqttAcks();
  const certificates = broker.tls ? await readCertificates(config) : {};
  if (signal.aborted) throw stopped();
  const client = connect({
    protocol: broker.tls ? "mqtts" : "mqtt",
    host: broker.host,
    port: broker.port,
    ...(broker.username === undefined ? {} : { username: broker.username }),
    ...(broker.password === undefined ? {} : { password: broker.password }),
    ...certificates,
    ...(will === undefined ? {} : { will: { ...will } }),
    clientId,
    protocolVersion: version,
    clean: true,
    keepalive: config.keepalive_s,
    connectTimeout: config.connect_timeout_s * 1_000,
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    messageIdProvider: new UpperMessageIds(),
    // Its own writes user name and payloads, and asks at each message whether it should.
    log: () => {},
    // A buffer of each of the 65,536 message ids, made before the first CONNECT and kept for good: some MB,
    // which `deno task bench --points memory` shows.
    writeCache: false,
    // Moving the ping's timer at every PUBACK costs a quarter of the speed: the session does it.
    reschedulePings: false,
  }, acks);
  const { properties } = await connected(client, broker, config, options);
  return {
    client,
    acks,
    broker,
    version,
    limits: {
      retain: properties?.retainAvailable ?? true,
      qos: (properties?.maximumQoS ?? 2) as 0 | 1 | 2,
      receiveMaximum: properties?.receiveMaximum ?? 65_535,
      maximumPacketSize: properties?.maximumPacketSize ?? Infinity,
    },
  };
}

async function connected(
  client: MqttClient,
  broker: MqttBroker,
  config: MqttConfig,
  { signal, will }: ConnectMqttOptions,
): Promise<IConnackPacket> {
  const { promise, resolve, reject } = Promise.withResolvers<IConnackPacket>();
  let fault: Error & { code?: unknown } | undefined;
  const onError = (error: Error) => {
    fault ??= error;
    client.end(true);
  };
  // An error is always followed by "close", and only then the socket is gone.
  const onClose = () =>
    reject(signal.aborted ? stopped() : failed(broker, config, fault, will));
  const onAbort = () => void client.end(true);
  client.on("connect", resolve).on("error", onError).on(
    "close",
    onClose,
  );
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    client.off("error", onError).off("close", onClose);
  }
}

const NETWORK_FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "no way leads to this host",
  ENETUNREACH: "no way leads to this network",
  ENOTFOUND: "this host name is not known",
  EAI_AGAIN: "the name server does not answer",
  ETIMEDOUT: "it does not answer",
  EPIPE: "the connection was reset",
};

function failed(
  broker: MqttBroker,
  config: MqttConfig,
  fault: Error & { code?: unknown } | undefined,
  will: LastWill | undefined,
): SinkError {
  const what = `Cannot connect to the MQTT broker at ${broker.name}`;
  const retry = (why: string) =>
    ({ kind: "retry", message: `${what}: ${why}` }) as const;
  if (fault === undefined) {
    const instead = will === undefined
      ? ""
      : `. If it always does, ${withoutWill(will)}`;
    return new MqttRefusal(
      retry(`it closes the connection without an answer${instead}`),
      undefined,
    );
  }
  if (typeof fault.code === "number") {
    const failure = failureOfCode(
      `The MQTT broker at ${broker.name} refuses the connection`,
      fault.code,
    );
    const forbids = will !== undefined && failure.kind === "blocked" &&
      mayForbidWill(fault.code);
    return new MqttRefusal(
      forbids
        ? { ...failure, hint: `${failure.hint}. Or ${withoutWill(will)}` }
        : failure,
      fault.code,
    );
  }
  const known = typeof fault.code === "string"
    ? NETWORK_FAULTS[fault.code]
    : undefined;
  if (known !== undefined) return new SinkError(retry(known));
  if (fault.message === "connack timeout") {
    return new SinkError(
      retry(`no answer within ${config.connect_timeout_s} s`),
    );
  }
  if (!broker.tls) return new SinkError(retry(fault.message));
  return new SinkError({
    kind: "blocked",
    message: `${what} over TLS: ${fault.message}`,
    hint:
      'Name the certificate authority of the broker in "mqtt.ca_file", and see that host name, port and clock are right',
  });
}

/** What to do where a broker does not take the connection for its last will. */
function withoutWill({ topic }: LastWill): string {
  return `set "mqtt.state_topics" to false: it may forbid the last will to "${topic}"`;
}

function stopped(): SinkError {
  return new SinkError({ kind: "retry", message: "The gateway stops" });
}

async function readCertificates(
  config: MqttConfig,
): Promise<Pick<IClientOptions, "ca" | "cert" | "key">> {
  const read = async (key: "ca_file" | "cert_file" | "key_file") => {
    const path = config[key];
    if (path === undefined) return undefined;
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      throw new SinkError({
        kind: "blocked",
        message: `Cannot read the file of "mqtt.${key}": ${
          (error as Error).message
        }`,
        hint: `Correct "mqtt.${key}", or let the gateway read the file`,
      }, { cause: error });
    }
  };
  const [ca, cert, key] = await Promise.all([
    read("ca_file"),
    read("cert_file"),
    read("key_file"),
  ]);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
