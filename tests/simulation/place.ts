/**
 * Where each reading goes, seen from the other side: from a topic or a series back to board and path.
 *
 * @module
 */

import type { Published } from "./simulated_broker.ts";

/** The paths of the boards' readings, by where they go. */
const PATH_OF: Readonly<Record<string, string>> = {
  "node1/temperature": "n1.t",
  "node1/humidity": "n1.h",
  "signal/rssi": "sig.rssi",
  "stats/packets_received": "sts.rx",
};

/** The paths of the readings that boards send. */
export const PATHS: readonly string[] = Object.values(PATH_OF);

/** Those of them that the broker retains. */
export const RETAINED_PATHS: readonly string[] = ["n1.t", "n1.h"];

/** A board's reading. */
export interface Place {
  readonly board: string;
  readonly path: string;
}

/** A reading of a packet. */
export interface SentReading {
  /** The packet's. */
  readonly number: number;
  readonly place: Place;
}

interface TargetPlace {
  readonly target: string;
  readonly place: Place;
  /** Whether it is a topic of the past. */
  readonly past: boolean;
}

/** Tells this reading from all others of its target. */
export function keyOf(number: number, { board, path }: Place): string {
  return `${board}/${path} ${number}`;
}

/** What a message says. */
export interface Telling extends TargetPlace, SentReading {
  /** Microseconds since 1970; undefined where it says none. */
  readonly timeUs: number | undefined;
}

const topics = new Map<string, TargetPlace>();

/** The target that a topic belongs to, as the sink names it, and the reading that goes there. */
export function placeOfTopic(topic: string): TargetPlace {
  let found = topics.get(topic);
  if (found === undefined) {
    const levels = topic.split("/");
    const name = levels.splice(-2).join("/");
    const [prefix, ...rest] = levels;
    const past = rest[0] === "history";
    const board = rest[past ? 1 : 0] ?? "";
    const place = { board, path: PATH_OF[name] ?? name };
    found = { target: `broker:1883/${prefix}`, place, past };
    topics.set(topic, found);
  }
  return found;
}

/** What a message says; on the topics of the past that is JSON. */
export function readMessage(
  { topic, payload, time }: Pick<Published, "topic" | "payload" | "time">,
): Telling {
  const found = placeOfTopic(topic);
  const said: { time?: string | undefined; value: number } = found.past
    ? JSON.parse(payload)
    : { time, value: Number(payload) };
  const timeUs = said.time === undefined
    ? undefined
    : Date.parse(said.time.slice(0, 23) + "Z") * 1000 +
      Number(said.time.slice(23, 26));
  return { ...found, number: said.value, timeUs };
}

/** The reading that a series holds. */
export function placeOfSeries(series: string): Place {
  const [measurement, ...tags] = series.split(",");
  const tag = (name: string) =>
    tags.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ??
      "";
  const name = `${tag("node")}/${measurement}`;
  return { board: tag("board"), path: PATH_OF[name] ?? name };
}
