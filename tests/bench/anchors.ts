/**
 * What servers, libraries and the disk can do at best with the gateway's own rows, points and messages:
 * each does one thing and nothing else.
 *
 * @module
 */

import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  migrate,
  openDatabase,
  rowChecksum,
  transact,
} from "../../lib/journal/database.ts";
import type { StoredRow } from "../../lib/journal/disk.ts";
import { LineStream } from "../../lib/source/line_stream.ts";
import { eventually } from "../e2e/gateway_process.ts";
import { findProgram, type Mosquitto, subscribe } from "../servers.ts";
import type { PreparedMessage } from "./prepared_rows.ts";
import { cpuTimes, readUsage } from "./process_usage.ts";

/** Something that was done again and again, as fast as possible. */
export interface Pace {
  /** How many were done each second. */
  readonly perSecond: number;
  /** CPU of who does it for one, in milliseconds. */
  readonly cpuMs: number;
}

/** Points in one request, at most: the gateway's `influxdb.max_lines`. */
const POINTS_A_REQUEST = 5000;
/** How many messages mosquitto has got, which it says as often as it is told to. */
const RECEIVED = "$SYS/broker/publish/messages/received";
/** For mosquitto.conf, in {@linkcode publishBare}: say it each second. */
export const TELL_RECEIVED = ["sys_interval 1"];
/** As the gateway compresses (`influxdb_client.ts`). */
const GZIP = { level: 2 };

/**
 * Messages that one mosquitto_pub is given: it ends at the acknowledgement of the last one's id, and an
 * id comes again after 65,535 messages, so that of more than those it leaves most unsent.
 */
const MESSAGES_A_PROCESS = 65_000;

/**
 * `mosquitto_pub -l -q 1`, the C client: each payload a message, all of one topic, the one that is
 * as long as the messages' topics on the average. What it takes for a single message, 0.2 s for
 * beginning and end, is not counted.
 *
 * @param folder for the payloads
 * @throws {Error} if the broker has not got all of them
 */
export async function publishBare(
  { url }: Mosquitto,
  messages: readonly PreparedMessage[],
  folder: string,
): Promise<Pace> {
  const topic = middleTopic(messages);
  await using heard = await subscribe(url, RECEIVED);
  const single = await publish(url, topic, messages.slice(0, 1), folder);
  let [seconds, cpuMs] = [0, 0];
  for (let from = 0; from < messages.length; from += MESSAGES_A_PROCESS) {
    const part = messages.slice(from, from + MESSAGES_A_PROCESS);
    const took = await publish(url, topic, part, folder);
    seconds += took.seconds - single.seconds;
    cpuMs += took.cpuMs - single.cpuMs;
  }
  await eventually(
    `mosquitto has ${messages.length} messages`,
    () =>
      heard.messages.some(({ payload }) => Number(payload) > messages.length),
  );
  return {
    perSecond: messages.length / seconds,
    cpuMs: cpuMs / messages.length,
  };
}

async function publish(
  url: string,
  topic: string,
  messages: readonly PreparedMessage[],
  folder: string,
): Promise<{ seconds: number; cpuMs: number }> {
  const file = join(folder, "payloads");
  await Deno.writeTextFile(
    file,
    messages.map(({ payload }) => `${payload}\n`).join(""),
  );
  const { hostname, port } = new URL(url);
  // The shell waits for it, so its times are those of a child that has ended.
  const script = '"$@" < "$0" && cat /proc/$$/stat';
  const startedMs = performance.now();
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: [
      ...["-c", script, file, findProgram("mosquitto_pub")],
      ...["-l", "-q", "1", "-V", "mqttv5", "--nodelay"],
      ...["-h", hostname, "-p", port, "-t", topic],
    ],
  }).output();
  const seconds = (performance.now() - startedMs) / 1000;
  const decoder = new TextDecoder();
  if (!success) throw new Error(`mosquitto_pub: ${decoder.decode(stderr)}`);
  const { endedChildrenMs } = cpuTimes(decoder.decode(stdout));
  return { seconds, cpuMs: endedChildrenMs };
}

/**
 * `fetch` of line protocol to InfluxDB's write API, one request after the other, each compressed
 * beforehand as the gateway compresses it.
 */
export async function writeBare(
  url: string,
  points: readonly string[],
): Promise<Pace> {
  const bodies: Uint8Array<ArrayBuffer>[] = [];
  for (let from = 0; from < points.length; from += POINTS_A_REQUEST) {
    const lines = points.slice(from, from + POINTS_A_REQUEST).join("\n");
    bodies.push(new Uint8Array(gzipSync(lines, GZIP)));
  }
  return await pace(points.length, async () => {
    for (const body of bodies) {
      const answer = await fetch(
        `${url}/api/v2/write?org=my-org&bucket=telemetry&precision=us`,
        { method: "POST", headers: { "content-encoding": "gzip" }, body },
      );
      await answer.body?.cancel();
      if (answer.status !== 204) {
        throw new Error(`VictoriaMetrics answers ${answer.status}`);
      }
    }
  });
}

/** Options for {@linkcode insertBare}. */
export interface InsertOptions {
  /** Rows in a transaction. Each is synced: `synchronous=FULL`, as with the gateway. */
  readonly rowsACommit: number;
}

/** Inserts `rows` into the journal's table of a new file at `path`, and nothing else. */
export async function insertBare(
  path: string,
  rows: readonly StoredRow[],
  { rowsACommit }: InsertOptions,
): Promise<Pace> {
  using db = openDatabase(path);
  db.exec("PRAGMA synchronous=FULL");
  migrate(db);
  const insert = db.prepare(
    "INSERT INTO packets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const sums = rows.map(rowChecksum);
  return await pace(rows.length, () => {
    for (let from = 0; from < rows.length; from += rowsACommit) {
      const end = Math.min(from + rowsACommit, rows.length);
      transact(db, () => {
        for (let i = from; i < end; i++) {
          const { seq, board, epoch, monoUs, boardTs, readings, total, body } =
            rows[i]!;
          insert.run(
            ...[seq, board, epoch, monoUs, boardTs, readings, total, body],
            sums[i]!,
          );
        }
      });
    }
  });
}

/** Splits what `cat` prints of a file into lines, and drops them. */
export async function splitBare(path: string, lines: number): Promise<Pace> {
  return await pace(lines, async () => {
    const cat = new Deno.Command("cat", { args: [path], stdout: "piped" })
      .spawn();
    await cat.stdout.pipeThrough(new LineStream()).pipeTo(new WritableStream());
    await cat.status;
  });
}

/** How fast `work`, which does something `count` times, is done by this process. */
async function pace(
  count: number,
  work: () => void | Promise<void>,
): Promise<Pace> {
  const before = await readUsage(Deno.pid);
  const startedMs = performance.now();
  await work();
  const seconds = (performance.now() - startedMs) / 1000;
  const { cpuMs } = await readUsage(Deno.pid);
  return { perSecond: count / seconds, cpuMs: (cpuMs - before.cpuMs) / count };
}

/** Of all topics the one whose length is nearest to the mean of the messages' topics. */
function middleTopic(messages: readonly PreparedMessage[]): string {
  const topics = new Set(messages.map(({ topic }) => topic));
  const mean = messages.reduce((sum, { topic }) => sum + topic.length, 0) /
    messages.length;
  const distance = (topic: string) => Math.abs(topic.length - mean);
  return [...topics].reduce((best, topic) =>
    distance(topic) < distance(best) ? topic : best
  );
}
