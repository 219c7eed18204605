/**
 * Where each reading goes, seen from the other side: from a topic or a series back to board and path.
 *
 * @module
 */

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

interface TargetPlace {
  readonly target: string;
  readonly place: Place;
}

/** Tells this reading from all others of its target. */
export function keyOf(number: number, { board, path }: Place): string {
  return `${board}/${path} ${number}`;
}

const topics = new Map<string, TargetPlace>();

/** The target that a topic belongs to, as the sink names it, and the reading that goes there. */
export function placeOfTopic(topic: string): TargetPlace {
  let found = topics.get(topic);
  if (found === undefined) {
    const levels = topic.split("/");
    const name = levels.splice(-2).join("/");
    found = {
      target: `broker:1883/${levels[0]}`,
      place: { board: levels[1] ?? "", path: PATH_OF[name] ?? name },
    };
    topics.set(topic, found);
  }
  return found;
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
