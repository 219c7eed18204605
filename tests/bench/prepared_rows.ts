/**
 * The rows, points and messages that the gateway makes of prepared lines, made beforehand by the
 * gateway's own code: what the anchors send and store is the very same.
 *
 * @module
 */

import { createCatalogue } from "../../lib/catalogue.ts";
import type { StoredRow } from "../../lib/journal/disk.ts";
import { encodeReadings, toRow } from "../../lib/journal/rows.ts";
import { LineProtocol } from "../../lib/sink/line_protocol.ts";
import { MqttTopics } from "../../lib/sink/mqtt_topics.ts";
import { EventClock } from "../../lib/source/event_clock.ts";
import { LineStream } from "../../lib/source/line_stream.ts";
import { TelemetryStream } from "../../lib/source/telemetry_stream.ts";

const MARKER = "JSON sent via VCP: ";
const PREFIX = "iiot";
/** From one packet to the next, in microseconds: a flood. */
const STEP_US = 96;

/** The rows of the packets in a file of lines. */
export async function readRows(path: string): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  let [monoUs, total] = [0, 0];
  const packets = (await Deno.open(path)).readable
    .pipeThrough(new LineStream({ marker: MARKER }))
    .pipeThrough(
      new TelemetryStream({
        marker: MARKER,
        catalogue: createCatalogue(),
        clock: new EventClock({
          now: () => ({ epoch: 1, monoUs: monoUs += STEP_US }),
        }),
        counters: { lines: 0, packets: 0, rejects: 0, other: 0, truncated: 0 },
        onReject(line) {
          throw new Error(`A prepared line is broken: ${line}`);
        },
        onText() {},
      }),
    );
  for await (const some of packets) {
    for (const { packet: { boardTs, readings }, at } of some) {
      total += readings.length;
      rows.push({
        seq: rows.length + 1,
        board: 1,
        epoch: at.epoch,
        monoUs: at.monoUs,
        boardTs,
        readings: readings.length,
        total,
        body: encodeReadings(readings),
      });
    }
  }
  return rows;
}

/** The points of `rows`, whose clock began at `offsetUs`, microseconds since 1970. */
export function* pointsOf(
  rows: readonly StoredRow[],
  offsetUs: number,
): Iterable<string> {
  const lines = new LineProtocol(createCatalogue(), {});
  for (const stored of rows) {
    const row = toRow(stored, {
      boardName: () => "",
      time: ({ monoUs }) => ({
        timeUs: offsetUs + monoUs,
        timeQuality: "known",
      }),
    });
    for (const reading of row.readings) yield lines.line(row, reading)!;
  }
}

/** A message for the broker. */
export interface PreparedMessage {
  readonly topic: string;
  readonly payload: string;
}

/** The messages of `rows`. */
export function* messagesOf(
  rows: readonly StoredRow[],
): Iterable<PreparedMessage> {
  const topics = new MqttTopics(PREFIX, true, createCatalogue());
  for (const { body } of rows) {
    for (const [path, value] of Object.entries<number>(JSON.parse(body))) {
      yield { topic: topics.of("", path)!.name, payload: String(value) };
    }
  }
}
