/**
 * What a broker says about our configuration.
 *
 * @module
 */

import type { MqttConfig } from "../config/schema.ts";
import type { Finding } from "../model.ts";
import { describeReason, PUBLISH_HINT } from "./mqtt_answers.ts";
import type { MqttBroker } from "./mqtt_broker.ts";
import type { MqttConnection, MqttVersion } from "./mqtt_connection.ts";
import { explainRefusal } from "./mqtt_refusal.ts";
import type { Language } from "./port_look.ts";
import { SinkError } from "./sink.ts";

const SUBJECT = "MQTT broker";
/** Unconfirmed messages: with fewer each of them is a write of its own before long. */
const FEW = 100;

/** How a connection is made, and what else there is to find out. */
export interface BrokerCheckOptions {
  readonly broker: MqttBroker;
  /** Makes the connection, with a client id that takes nobody's place. */
  readonly connect: () => Promise<MqttConnection>;
  readonly whatAnswers: (host: string, port: number) => Promise<Language>;
}

/**
 * Connects, publishes one empty message that no broker keeps to `PREFIX/check`, and leaves.
 */
export async function* checkBroker(
  config: MqttConfig,
  options: BrokerCheckOptions,
): AsyncIterable<Finding> {
  let connection: MqttConnection;
  try {
    connection = await options.connect();
  } catch (error) {
    if (!(error instanceof SinkError)) throw error;
    yield {
      level: "failed",
      subject: SUBJECT,
      detail: error.failure.message,
      ...await explainRefusal(error, config, options),
    };
    return;
  }
  try {
    const { broker, version } = connection;
    const spoken = version === 5 ? "MQTT 5" : "MQTT 3.1.1";
    yield {
      level: "ok",
      subject: SUBJECT,
      detail: `Connected to ${broker.name} with ${spoken}`,
    };
    yield await mayPublish(config, connection);
    const { receiveMaximum } = connection.limits;
    const window = Math.min(FEW, config.max_inflight);
    if (config.qos > 0 && receiveMaximum < window) {
      yield {
        level: "warning",
        subject: SUBJECT,
        detail:
          `${broker.name} takes ${receiveMaximum} unconfirmed messages at once: a backlog takes longer than it has to`,
        hint:
          'Raise that at the broker if you can: "max_inflight_messages 1000" in mosquitto.conf',
      };
    }
  } finally {
    await leave(connection);
  }
}

async function mayPublish(
  config: MqttConfig,
  connection: MqttConnection,
): Promise<Finding> {
  const { broker, client, limits, version } = connection;
  const topic = `${config.topic_prefix}/check`;
  const { promise, resolve } = Promise.withResolvers<Finding>();
  const failed = (why: string, hint = PUBLISH_HINT) =>
    resolve({
      level: "failed",
      subject: SUBJECT,
      detail: `Cannot publish to "${topic}" at ${broker.name}: ${why}`,
      hint,
    });
  const timer = setTimeout(
    () =>
      failed(
        `no answer within ${config.ack_timeout_s} s`,
        "Look at the broker's log",
      ),
    config.ack_timeout_s * 1_000,
  );
  client.on("close", () => failed("the broker closes the connection"));
  const qos = Math.min(1, limits.qos) as 0 | 1;
  const published = () =>
    resolve({
      level: "ok",
      subject: SUBJECT,
      detail: describeProof(topic, version, qos),
    });
  client.on("packetreceive", ({ cmd }) => {
    if (cmd === "pingresp") published();
  });
  client.publish(topic, "", { qos, retain: false }, (error) => {
    const code = (error as { code?: unknown } | null | undefined)?.code;
    if (typeof code === "number") {
      failed(`the broker refuses it: ${describeReason(code)}`);
    } else if (error) failed(error.message);
    // At QoS 0 it is only written: a broker may still hang up at it.
    else if (qos === 0) client.sendPing();
    else published();
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** What a message that the broker did not refuse says about our rights. */
function describeProof(
  topic: string,
  version: MqttVersion,
  qos: 0 | 1,
): string {
  if (version === 5 && qos > 0) return `May publish to "${topic}"`;
  const who = qos === 0
    ? "this broker takes QoS 0 only, which leaves unsaid what is forbidden"
    : "MQTT 3.1.1 brokers acknowledge even what they forbid";
  return `Published to "${topic}"; ${who}, so look for values at the broker`;
}

async function leave({ client }: MqttConnection): Promise<void> {
  if (!client.connected) return;
  const gone = new Promise<void>((resolve) =>
    client.once("close", () => resolve())
  );
  const timer = setTimeout(() => client.stream.destroy(), 500);
  for (const id of Object.keys(client.outgoing)) {
    client.removeOutgoingMessage(Number(id));
  }
  client.end(false);
  await gone;
  clearTimeout(timer);
}
