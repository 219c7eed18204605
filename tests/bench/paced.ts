/**
 * How long a packet takes from the child to a subscriber, at a steady pace.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import mqtt from "mqtt";
import { eventually } from "../e2e/gateway_process.ts";
import { type BenchGateway, once } from "./gateway.ts";
import { nowMs, type PacedResult, SENT_PATH } from "./paced_board.ts";

const RESULT = "paced-result";
const BOARD = fileURLToPath(new URL("paced_board.ts", import.meta.url));

/** The metric that a gateway has to know, for config.toml. */
export const SENT_METRIC = `
[[metric]]
path = "${SENT_PATH}"
node = "bench"
name = "sent"
`;

/** The child, for {@linkcode BenchGateway}: prints once. */
export function pacedChild(packets: number, perSecond: number): string[] {
  const run = [Deno.execPath(), "run", "-q", "-A", BOARD];
  return once([...run, String(packets), String(perSecond), RESULT]);
}

/** A subscriber that notes how old each packet is as it comes. */
export class AgeSubscriber implements AsyncDisposable {
  /** Milliseconds from the line's leaving the child, in the order in which they came. */
  readonly agesMs: number[] = [];
  readonly #client: mqtt.MqttClient;

  private constructor(client: mqtt.MqttClient) {
    this.#client = client;
    client.on("message", (_topic, payload) => {
      this.agesMs.push(nowMs() - Number(payload.toString()));
    });
  }

  /** Comes when the broker has confirmed the subscription. */
  static async open(gateway: BenchGateway): Promise<AgeSubscriber> {
    const client = await mqtt.connectAsync(gateway.mosquitto.url);
    const heard = new AgeSubscriber(client);
    await client.subscribeAsync("iiot/bench/sent", { qos: 1 });
    return heard;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}

/** What the child of {@linkcode pacedChild} has measured, once it has printed everything. */
export async function pacedResult(gateway: BenchGateway): Promise<PacedResult> {
  const file = join(gateway.process.folder, RESULT);
  return await eventually(
    "the child has printed everything",
    () => Deno.readTextFile(file).then(JSON.parse, () => undefined),
    600_000,
  );
}
