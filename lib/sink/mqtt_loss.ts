/**
 * The end of a link to a broker, with what was heard of its cause before.
 *
 * @module
 */

import type { IDisconnectPacket, MqttClient } from "mqtt";

/** What is known of why a link is gone. */
export interface LossCause {
  /** What the broker said; MQTT 5 alone. */
  readonly disconnect: IDisconnectPacket | undefined;
  /** The first error of the link. */
  readonly fault: Error | undefined;
}

/** Calls `onLost` each time the link of `client` is gone, and at once where it already is. */
export function watchForLoss(
  client: MqttClient,
  onLost: (cause: LossCause) => void,
): void {
  let disconnect: IDisconnectPacket | undefined;
  let fault: Error | undefined;
  const onClose = () => onLost({ disconnect, fault });
  client.on("disconnect", (packet) => {
    disconnect = packet;
    client.end(true); // The broker has to close, but not every one does.
  });
  client.on("error", (error) => {
    fault ??= error;
    client.end(true);
  });
  client.on("close", onClose);
  if (!client.connected) onClose(); // It went between CONNACK and here.
}
