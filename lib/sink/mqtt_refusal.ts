/**
 * Why a broker cannot be connected to, for who has just written its address.
 *
 * @module
 */

import type { MqttConfig } from "../config/schema.ts";
import type { Finding } from "../model.ts";
import { refusesLogin } from "./mqtt_answers.ts";
import type { MqttBroker } from "./mqtt_broker.ts";
import { MqttRefusal } from "./mqtt_connection.ts";
import type { Language } from "./port_look.ts";
import type { SinkError } from "./sink.ts";

/** What is known of the broker. */
export interface RefusalOptions {
  readonly broker: MqttBroker;
  readonly whatAnswers: (host: string, port: number) => Promise<Language>;
}

/** What explains a failure better than its own words, and what to do. */
type Explanation =
  & Pick<Finding, "fix">
  & Partial<Pick<Finding, "detail">>
  & { readonly hint: string };

/** Looks for the reason of a failure; asks the port what it speaks where none was given. */
export async function explainRefusal(
  error: SinkError,
  config: MqttConfig,
  { broker, whatAnswers }: RefusalOptions,
): Promise<Explanation> {
  const { failure } = error;
  const code = error instanceof MqttRefusal ? error.code : undefined;
  if (refusesLogin(code)) return explainLogin(failure.message, broker);
  if (code !== undefined) {
    return { hint: failure.kind === "blocked" ? failure.hint : TRY_AGAIN };
  }
  if (failure.kind === "blocked" && !broker.tls) return { hint: failure.hint };
  const language = await whatAnswers(broker.host, broker.port);
  const speaks = `What answers at ${broker.name}`;
  if (language === "TLS" && !broker.tls) {
    return {
      detail: `${speaks} speaks TLS, and "mqtt.broker_url" does not`,
      hint:
        'Begin the URL with mqtts://; "ca_file" is for a broker whose authority is your own',
      fix: [urlLine("mqtts", broker), 'ca_file = "/etc/iiot-gateway/ca.pem"'],
    };
  }
  if (language === "MQTT" && broker.tls) {
    return {
      detail: `${speaks} is an MQTT broker without TLS`,
      hint:
        "Begin the URL with mqtt://, or name the port where the broker speaks TLS, mostly 8883",
      fix: [urlLine("mqtt", broker)],
    };
  }
  if (language === "HTTP") {
    return {
      detail: `${speaks} is a web server, not an MQTT broker`,
      hint:
        'Correct the port in "mqtt.broker_url": brokers have 1883, with TLS 8883. Where it is the broker, this is its port for WebSockets, which is not used here',
    };
  }
  if (failure.kind === "blocked") return explainTls(failure, config);
  return explainSilence(broker);
}

const LOOPBACK = /^(?:127\.|localhost$|::1$)/;
const TRY_AGAIN = "Look at the broker's log, and try again";

function explainLogin(
  said: string,
  { username, password, name }: MqttBroker,
): Explanation {
  const isMosquitto =
    "The command gives the user a password where the broker is mosquitto";
  if (username === undefined) {
    return {
      detail: `The broker at ${name} wants a user name and a password (${
        said.replace(/^.*?refuses the connection: /, "")
      })`,
      hint:
        `Set "mqtt.username" and "mqtt.password" to a user that the broker knows. ${isMosquitto}, which reads it when it is started anew`,
      fix: [
        'username = "gateway"',
        'password = "…"',
        "sudo mosquitto_passwd /etc/mosquitto/passwd gateway",
      ],
    };
  }
  return {
    detail: password === undefined
      ? `The broker at ${name} refuses the user "${username}", for whom there is no password`
      : `The broker at ${name} refuses the user "${username}" or the password: ${
        said.replace(/^.*?refuses the connection: /, "")
      }`,
    hint:
      `Correct "mqtt.username" and "mqtt.password", or let this user in at the broker. ${isMosquitto}`,
    fix: [`sudo mosquitto_passwd /etc/mosquitto/passwd ${quote(username)}`],
  };
}

function explainTls(
  { message, hint }: { readonly message: string; readonly hint: string },
  { ca_file }: MqttConfig,
): Explanation {
  if (/UnknownIssuer|self.?signed|unable to (?:get|verify)/i.test(message)) {
    return {
      hint: ca_file === undefined
        ? "The broker's certificate is of an authority of your own: name that authority's file"
        : `The broker's certificate is of another authority than the one in "${ca_file}"`,
      fix: ['ca_file = "/etc/iiot-gateway/ca.pem"'],
    };
  }
  if (/NotValidForName|altnames|not valid for name/i.test(message)) {
    return {
      hint:
        'Write the host name into "mqtt.broker_url" that stands in the broker\'s certificate, not its address',
    };
  }
  if (/expired|NotValidYet|not valid yet/i.test(message)) {
    return {
      hint:
        "Set the clock of this PC if it is wrong; else renew the certificate",
      fix: ["date", "sudo timedatectl set-ntp true"],
    };
  }
  return { hint };
}

function explainSilence({ host, port }: MqttBroker): Explanation {
  const hint = 'Start the broker, or correct "mqtt.broker_url"';
  return LOOPBACK.test(host)
    ? {
      hint,
      fix: [
        "sudo systemctl start mosquitto   # or: docker compose up -d mosquitto",
      ],
    }
    : {
      hint:
        `${hint}. A mosquitto that was not told otherwise is there for its own machine only: these two lines in its mosquitto.conf change that`,
      fix: [`listener ${port}`, "password_file /etc/mosquitto/passwd"],
    };
}

function urlLine(scheme: "mqtt" | "mqtts", { name }: MqttBroker): string {
  return `broker_url = "${scheme}://${name}"`;
}

function quote(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
