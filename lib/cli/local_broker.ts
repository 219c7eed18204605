/**
 * `--embedded-broker`: a broker on this machine, whichever answers.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { answersMqtt, startBroker } from "../broker.ts";
import type { BrokerConfig, Config } from "../config/schema.ts";

/**
 * `config` with the broker of `[broker]`: the one that answers there already, or else the embedded
 * one, which lives as long as `stack`.
 *
 * @throws {Error} if another program has the port, naming the key that moves it
 */
export async function useLocalBroker(
  config: Config,
  stack: AsyncDisposableStack,
): Promise<Config> {
  if (config.mqtt === undefined) {
    throw new Error(
      "--embedded-broker needs the table [mqtt] in the configuration",
    );
  }
  const { host, port } = config.broker;
  const log = getLogger(["gateway", "broker"]);
  const at = hostHere(host);
  if (await answersMqtt(at, port) === "mqtt") {
    log.info(
      "An MQTT broker answers on {at}:{port} already: it is used, not the embedded one",
      { at, port },
    );
  } else {
    stack.use(await startBroker({ host, port }));
    log.info("The embedded MQTT broker listens on {host}:{port}", {
      host,
      port,
    });
  }
  const broker_url = [localBrokerUrl(config.broker)];
  return { ...config, mqtt: { ...config.mqtt, broker_url } };
}

/** Where the broker of `[broker]` is found on this machine. */
export function localBrokerUrl({ host, port }: BrokerConfig): string {
  const at = hostHere(host);
  return `mqtt://${at.includes(":") ? `[${at}]` : at}:${port}`;
}

/** A host to connect to, of one to listen on. */
function hostHere(host: string): string {
  return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
}
