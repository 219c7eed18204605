/**
 * The client of MQTT.js, on a socket that the acknowledgements are read from first.
 *
 * @module
 */

import { type IClientOptions, MqttClient } from "mqtt";
import net from "node:net";
import { type Duplex, Transform } from "node:stream";
import tls from "node:tls";
import { EmptyStore } from "./empty_store.ts";
import type { MqttAcks } from "./mqtt_acks.ts";

/** As MQTT.js's own `connect` does it, but MQTT.js reads only what `acks` leaves. */
export function connectClient(
  options: IClientOptions,
  acks: MqttAcks,
): MqttClient {
  const client = new MqttClient((client) => {
    const stream = openStream(options);
    // MQTT.js itself passes on only those with a code, and a certificate's fault has none.
    stream.on("error", (error) => client.emit("error", error));
    stream.setNoDelay(true);
    return readFirst(stream, acks);
  }, { ...options, outgoingStore: new EmptyStore() });
  // One that nobody hears would end the program.
  return client.on("error", () => {});
}

function openStream(
  { protocol, host, port, ca, cert, key }: IClientOptions,
): net.Socket {
  if (protocol !== "mqtts") return net.connect({ host, port: port! });
  return tls.connect({
    host,
    port,
    ...(net.isIP(host!) === 0 && { servername: host }),
    ca,
    cert,
    key,
  });
}

/** Lets `acks` read what comes before whoever `stream` is piped to. */
function readFirst(stream: Duplex, acks: MqttAcks): Duplex {
  const others = new Transform({
    transform(chunk, _encoding, done) {
      const rest = acks.read(chunk);
      done(null, rest.length === 0 ? undefined : rest);
    },
  });
  const pipe = stream.pipe.bind(stream);
  return Object.assign(stream, {
    pipe<T extends NodeJS.WritableStream>(to: T): T {
      pipe(others);
      return others.pipe(to);
    },
  });
}
