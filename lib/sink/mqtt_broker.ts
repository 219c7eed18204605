/**
 * One broker of the list `mqtt.broker_url`.
 *
 * @module
 */

/** Where a broker is and who we are there. */
export interface MqttBroker {
  /** Without brackets round an IPv6 address. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** `HOST:PORT`: how messages call it, and all of it that is no secret. */
  readonly name: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** Who we are, where the URL does not say it. */
export interface MqttLogin {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/**
 * Takes a checked broker URL apart.
 *
 * The keys win over the URL's user info, so that the environment's `MQTT_PASSWORD` overrides both.
 */
export function parseBroker(brokerUrl: string, login: MqttLogin): MqttBroker {
  const url = new URL(brokerUrl);
  const tls = url.protocol === "mqtts:";
  const port = url.port === "" ? (tls ? 8883 : 1883) : Number(url.port);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port,
    tls,
    name: `${url.hostname}:${port}`,
    username: login.username ?? (decodeURIComponent(url.username) || undefined),
    password: login.password ?? (decodeURIComponent(url.password) || undefined),
  };
}
