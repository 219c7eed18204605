/**
 * Real servers for tests: mosquitto and VictoriaMetrics, each in a private folder on a free port, and
 * a subscriber that keeps what it hears.
 *
 *     Deno.test({ name: "…", ...requires("mosquitto"), fn: async () => {
 *       await using broker = await startMosquitto();
 *       await using heard = await subscribe(broker.url, "iiot/#");
 *       …
 *       await heard.waitFor(9);
 *     } });
 *
 * Servers are ended with SIGTERM: one that is killed loses what it has acknowledged, and that would
 * look like a fault of ours.
 *
 * @module
 */

import { STATE_TOPICS } from "../lib/catalogue.ts";
import mqtt from "mqtt";
import type { IPublishPacket, MqttClient } from "mqtt";

/** How long a server may take to start or stop, in milliseconds. */
const SERVER_DEADLINE_MS = 20_000;

/** Folders beside the PATH: Debian keeps mosquitto where only root's PATH looks. */
const SBIN_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/**
 * Options for a test that needs `programs`: it is ignored where one is not installed.
 *
 * A missing program is noted as `PROGRAM<tab>ROOM` in the file that `SKIPPED_SERVERS_FILE` names.
 * With `REQUIRE_REAL=1` nothing is ignored: the test runs, and {@linkcode findProgram} fails it.
 */
export function requires(...programs: string[]): { ignore: boolean } {
  return withoutMissing(
    programs.filter((program) => lookUp(program) === undefined),
  );
}

/**
 * Options for a test that needs `programs` and what only root on Linux may do, such as a mount. Who
 * runs it otherwise is noted as a missing program with the name `root`; with `REQUIRE_REAL=1` the test
 * runs, and fails at what it may not do.
 */
export function requiresRoot(...programs: string[]): { ignore: boolean } {
  const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;
  return isRoot ? requires(...programs) : withoutMissing(["root"]);
}

function withoutMissing(missing: readonly string[]): { ignore: boolean } {
  if (missing.length === 0 || Deno.env.get("REQUIRE_REAL") === "1") {
    return { ignore: false };
  }
  const notes = Deno.env.get("SKIPPED_SERVERS_FILE");
  if (notes !== undefined && notes !== "") {
    const lines = missing.map((one) => `${one}\t${callersRoom()}\n`);
    Deno.writeTextFileSync(notes, lines.join(""), { append: true });
  }
  return { ignore: true };
}

/**
 * The path of `program`.
 *
 * @throws {Error} if it is not installed
 */
export function findProgram(program: string): string {
  const found = lookUp(program);
  if (found === undefined) {
    throw new Error(
      `This test needs the program "${program}", which is not installed: install it (Debian: apt install ${program}), or run without REQUIRE_REAL=1`,
    );
  }
  return found;
}

function lookUp(program: string): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) =>
    folder !== ""
  );
  for (const folder of [...folders, ...SBIN_FOLDERS]) {
    const path = `${folder}/${program}`;
    try {
      const { isFile, mode } = Deno.statSync(path);
      if (isFile && (mode === null || (mode & 0o111) !== 0)) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** `journal` for a test file in `tests/journal/`, else the file's own name. */
function callersRoom(): string {
  const frames = new Error().stack?.split("\n") ?? [];
  for (const frame of frames) {
    const place = /\/tests\/([^:)]+)/.exec(frame)?.[1];
    if (place !== undefined && place !== "servers.ts") {
      return place.split("/")[0]!;
    }
  }
  return "tests";
}

/**
 * A port that nobody answers on: IANA has assigned it to nothing, and it is not one that `fetch` refuses.
 * A free port would do only until another test takes it.
 */
export const DEAD_PORT = 4;

/** A TCP port of 127.0.0.1 on which nothing listens, below those given to outgoing connections. */
export function freePort(): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("Cannot find a free TCP port between 20000 and 31999");
}

/** A server process that can be stopped and started again on the same port and folder. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** What it has written to stdout and stderr since its first start. */
  readonly log: string;
  /** Process id while it runs, for SIGSTOP and SIGCONT. */
  readonly pid: number | undefined;
  /** Ends it with SIGTERM and waits until it has written everything; nothing if it does not run. */
  stop(): Promise<void>;
  /** Starts it and waits until it takes connections; nothing if it runs. */
  start(): Promise<void>;
}

/** A mosquitto broker. */
export interface Mosquitto extends TestServer {
  /** `mqtt://127.0.0.1:PORT` */
  readonly url: string;
}

/** Options for {@linkcode startMosquitto}. */
export interface StartMosquittoOptions {
  /** More lines for mosquitto.conf. */
  readonly conf?: readonly string[];
  /** @default {freePort()} */
  readonly port?: number;
}

/** Starts mosquitto: anybody may connect, PUBACKs come at once, queues are long. */
export async function startMosquitto(
  options: StartMosquittoOptions = {},
): Promise<Mosquitto> {
  const program = findProgram("mosquitto");
  const server = await startServer(
    "mosquitto",
    options.port,
    async (folder, port) => {
      const conf = [
        `listener ${port} 127.0.0.1`,
        ...(options.conf?.some((line) => line.startsWith("allow_anonymous"))
          ? []
          : ["allow_anonymous true"]),
        ...(Deno.uid() === 0 ? ["user root"] : []),
        "set_tcp_nodelay true",
        ...(options.conf?.some((line) => line.startsWith("max_inflight"))
          ? []
          : ["max_inflight_messages 1000"]),
        // Not 0 for "no limit": mosquitto 2.0.11 then hangs up after each publish that it denies.
        "max_queued_messages 10000000",
        "persistence true",
        `persistence_location ${folder}/`,
        ...(options.conf ?? []),
      ];
      await Deno.writeTextFile(
        `${folder}/mosquitto.conf`,
        conf.join("\n") + "\n",
      );
      return [program, "-c", `${folder}/mosquitto.conf`];
    },
  );
  return Object.assign(server, { url: `mqtt://127.0.0.1:${server.port}` });
}

/** One point as VictoriaMetrics gives it back. */
export interface ExportedPoint {
  /** `MEASUREMENT_value` */
  readonly name: string;
  /** Labels: the tags, and what the server adds (`db`). */
  readonly tags: Readonly<Record<string, string>>;
  /** Milliseconds since 1970: microseconds are cut. */
  readonly timeMs: number;
  readonly value: number;
}

/** A VictoriaMetrics server, which takes InfluxDB's write API. */
export interface VictoriaMetrics extends TestServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Everything it holds, in no order. */
  export(): Promise<ExportedPoint[]>;
}

/** Options for {@linkcode startVictoriaMetrics}. */
export interface StartVictoriaMetricsOptions {
  /** @default {freePort()} */
  readonly port?: number;
  /** More flags. */
  readonly flags?: readonly string[];
}

/** Starts VictoriaMetrics; it keeps points of the last hundred years. */
export async function startVictoriaMetrics(
  options: StartVictoriaMetricsOptions = {},
): Promise<VictoriaMetrics> {
  const program = findProgram("victoria-metrics");
  const server = await startServer(
    "victoria-metrics",
    options.port,
    (folder, port) => [
      program,
      `-storageDataPath=${folder}/data`,
      `-httpListenAddr=127.0.0.1:${port}`,
      "-graphiteListenAddr=",
      "-opentsdbListenAddr=",
      "-opentsdbHTTPListenAddr=",
      "-influxListenAddr=",
      "-retentionPeriod=100y",
      "-memory.allowedBytes=128MB",
      "-http.connTimeout=0",
      "-loggerLevel=WARN",
      ...(options.flags ?? []),
    ],
  );
  const url = `http://127.0.0.1:${server.port}`;
  return Object.assign(server, { url, export: () => exportPoints(url) });
}

async function exportPoints(url: string): Promise<ExportedPoint[]> {
  const flushed = await fetch(`${url}/internal/force_flush`);
  await flushed.body?.cancel();
  const match = encodeURIComponent('{__name__!=""}');
  // Without an end it leaves out what lies in the future, as a gateway's clock may.
  const until = Date.UTC(2100, 0) / 1000;
  const answer = await fetch(
    `${url}/api/v1/export?match[]=${match}&start=0&end=${until}`,
  );
  const text = await answer.text();
  if (!answer.ok) {
    throw new Error(
      `Cannot export from VictoriaMetrics: ${answer.status} ${text}`,
    );
  }
  return text.split("\n").filter((line) => line !== "").flatMap((line) => {
    const { metric, values, timestamps } = JSON.parse(line) as {
      metric: Record<string, string>;
      values: number[];
      timestamps: number[];
    };
    const { __name__: name = "", ...tags } = metric;
    return values.map((value, index) => ({
      name,
      tags,
      timeMs: timestamps[index]!,
      value,
    }));
  });
}

type CommandOf = (folder: string, port: number) => string[] | Promise<string[]>;

async function startServer(
  name: string,
  wantedPort: number | undefined,
  commandOf: CommandOf,
): Promise<TestServer> {
  const folder = await Deno.makeTempDir({ prefix: `iiot-${name}-` });
  try {
    for (let attempt = 1;; attempt++) {
      const port = wantedPort ?? freePort();
      const server = new ServerProcess(
        name,
        folder,
        port,
        await commandOf(folder, port),
      );
      try {
        await server.start();
        return server;
      } catch (error) {
        // Another test may have taken the port between the look and the start.
        if (wantedPort !== undefined || attempt === 3) throw error;
      }
    }
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

class ServerProcess implements TestServer {
  readonly port: number;
  readonly #name: string;
  readonly #folder: string;
  readonly #command: string[];
  #log = "";
  #child: Deno.ChildProcess | undefined;
  #drained: Promise<unknown> = Promise.resolve();

  constructor(name: string, folder: string, port: number, command: string[]) {
    this.port = port;
    this.#name = name;
    this.#folder = folder;
    this.#command = command;
  }

  get log(): string {
    return this.#log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const [program, ...args] = this.#command;
    const child = new Deno.Command(program!, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#drained = Promise.all([
      this.#drain(child.stdout),
      this.#drain(child.stderr),
    ]);
    let ended = false;
    child.status.then(() => ended = true);
    const deadline = performance.now() + SERVER_DEADLINE_MS;
    while (!ended && performance.now() < deadline) {
      if (await connects(this.port)) {
        // It may be another process that answers, while ours found the port taken.
        await pause(20);
        if (!ended) return;
      }
      await pause(20);
    }
    await this.stop();
    throw new Error(
      `Cannot start "${this.#name}" on port ${this.port}: it wrote\n${this.#log}`,
    );
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    signal(child, "SIGCONT");
    signal(child, "SIGTERM");
    const timer = setTimeout(
      () => signal(child, "SIGKILL"),
      SERVER_DEADLINE_MS,
    );
    await child.status;
    clearTimeout(timer);
    await this.#drained;
    this.#child = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #drain(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#log += text;
    }
  }
}

function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch {
    // It has ended by itself.
  }
}

async function connects(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const STATES = Object.values(STATE_TOPICS);

/** Whether a topic tells how a gateway or a board is, and no reading. */
export function tellsState(topic: string): boolean {
  return STATES.some((one) => topic.endsWith(`/${one}`));
}

/** A message as a subscriber got it. */
export interface HeardMessage {
  readonly topic: string;
  readonly payload: string;
  /** True on what the broker had kept from before the subscription. */
  readonly retain: boolean;
  readonly qos: 0 | 1 | 2;
  readonly duplicate: boolean;
  /** MQTT 5 user properties, empty where there are none. */
  readonly userProperties: Readonly<Record<string, string | string[]>>;
}

/** A subscription that keeps everything it hears, in order. */
export interface Subscription extends AsyncDisposable {
  readonly messages: readonly HeardMessage[];
  /**
   * Waits until `count` messages have come.
   *
   * @throws {Error} if they have not after `timeoutMs`, by default 20 s
   */
  waitFor(count: number, timeoutMs?: number): Promise<readonly HeardMessage[]>;
}

/** Options for {@linkcode subscribe}. */
export interface SubscribeOptions {
  /** 5, or 4 for MQTT 3.1.1 (the embedded broker speaks no other). @default {5} */
  readonly protocolVersion?: 4 | 5;
  /** With a client id the broker keeps the subscription while nobody listens, and it reconnects. */
  readonly clientId?: string;
  readonly username?: string;
  readonly password?: string;
  /** Messages keep the retain flag that they were published with. @default {false} */
  readonly retainAsPublished?: boolean;
  /** Also keep what tells how a gateway and its boards are. @default {false} */
  readonly states?: boolean;
}

/** Subscribes to `filter` at QoS 1 and comes back when the broker has confirmed it. */
export async function subscribe(
  url: string,
  filter: string,
  options: SubscribeOptions = {},
): Promise<Subscription> {
  const {
    protocolVersion = 5,
    clientId,
    retainAsPublished = false,
    states = false,
    ...login
  } = options;
  const durable = clientId !== undefined;
  const client = await mqtt.connectAsync(url, {
    protocolVersion,
    clean: !durable,
    clientId: clientId ?? `test-${crypto.randomUUID().slice(0, 8)}`,
    reconnectPeriod: durable ? 50 : 0,
    connectTimeout: 5_000,
    ...(durable && protocolVersion === 5
      ? { properties: { sessionExpiryInterval: 3600 } }
      : {}),
    ...login,
  });
  const subscription = new MqttSubscription(client, states);
  try {
    await client.subscribeAsync(
      filter,
      retainAsPublished ? { qos: 1, rap: true } : { qos: 1 },
    );
  } catch (error) {
    await subscription[Symbol.asyncDispose]();
    throw error;
  }
  return subscription;
}

class MqttSubscription implements Subscription {
  readonly messages: HeardMessage[] = [];
  readonly #client: MqttClient;
  #check: () => void = () => {};

  constructor(client: MqttClient, states: boolean) {
    this.#client = client;
    client.on("error", () => {}); // A broker that a test stops is no fault of the subscriber.
    client.on(
      "message",
      (topic: string, payload: Uint8Array, packet: IPublishPacket) => {
        if (!states && tellsState(topic)) return;
        this.messages.push({
          topic,
          payload: new TextDecoder().decode(payload),
          retain: packet.retain,
          qos: packet.qos,
          duplicate: packet.dup,
          userProperties: { ...packet.properties?.userProperties },
        });
        this.#check();
      },
    );
  }

  async waitFor(
    count: number,
    timeoutMs = 20_000,
  ): Promise<readonly HeardMessage[]> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#check = () => {
          if (this.messages.length >= count) resolve();
        };
        timer = setTimeout(
          () =>
            reject(
              new Error(
                `Only ${this.messages.length} of ${count} messages came in ${timeoutMs} ms`,
              ),
            ),
          timeoutMs,
        );
        this.#check();
      });
    } finally {
      clearTimeout(timer);
      this.#check = () => {};
    }
    return this.messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}
