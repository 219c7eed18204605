/**
 * Everything real that a run of chaos is made of: two servers with a proxy before each, the gateway, the
 * board, a disk, a listener; and what must be true of them at the end.
 *
 * Everything it starts ends with it.
 *
 * @module
 */

import { join } from "node:path";
import type { Status } from "../../lib/monitor/status.ts";
import type { Program } from "../cli/program.ts";
import { eventually } from "../e2e/gateway_process.ts";
import {
  findProgram,
  type Mosquitto,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
  type VictoriaMetrics,
} from "../servers.ts";
import { startTcpProxy, type TcpProxy } from "../tcp_proxy.ts";
import { type BoardAct, order, readBoardLog } from "./board_files.ts";
import type { Evidence } from "./evidence.ts";
import { ChaosGateway } from "./gateway.ts";
import { type JournalDisk, makeJournalDisk } from "./journal_disk.ts";
import { JournalRecord } from "./journal_record.ts";
import { Listener } from "./listener.ts";
import { fileURLToPath } from "node:url";

/** Options for {@linkcode World.create}. */
export interface WorldOptions {
  readonly program: Program;
  /** An empty folder for all files of the run. */
  readonly folder: string;
  /** Whether the gateway's wall clock can be set: needs `faketime`. */
  readonly fakeClock: boolean;
  /** What the gateway's journal may use. */
  readonly maxMegabytes: number;
  /** Says what happens. */
  say(text: string): void;
}

/** The sinks of the gateway's configuration. */
export type SinkName = "mqtt" | "influxdb";

/** Above the topics of the run. */
export const TOPIC_PREFIX = "chaos";
/** What the gateway's logs may not hold. */
const TOKEN = "a-token-that-no-log-may-hold";
/** Packets a second while nothing else is ordered. */
const USUAL_PER_S = 40;
const BOARD = fileURLToPath(new URL("board.ts", import.meta.url));

/** A running world. */
export class World implements AsyncDisposable {
  readonly gateway: ChaosGateway;
  readonly disk: JournalDisk;
  readonly mosquitto: Mosquitto;
  readonly victoria: VictoriaMetrics;
  readonly brokerProxy: TcpProxy;
  readonly databaseProxy: TcpProxy;
  readonly listener: Listener;
  readonly folder: string;
  readonly #options: WorldOptions;
  readonly #journal: JournalRecord;
  readonly #stack: AsyncDisposableStack;
  readonly #faults: string[] = [];
  readonly #excusedSessions = new Set<number>();
  readonly #joinedSessions = new Set<number>();
  #sinks: readonly SinkName[] = ["mqtt", "influxdb"];
  #perS = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #act: { id: number; kind: BoardAct } = { id: 0, kind: "garbage" };

  private constructor(
    options: WorldOptions,
    parts: Pick<
      World,
      | "disk"
      | "mosquitto"
      | "victoria"
      | "brokerProxy"
      | "databaseProxy"
      | "listener"
    >,
    stack: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.#stack = stack;
    this.folder = options.folder;
    ({
      disk: this.disk,
      mosquitto: this.mosquitto,
      victoria: this.victoria,
      brokerProxy: this.brokerProxy,
      databaseProxy: this.databaseProxy,
      listener: this.listener,
    } = parts);
    this.#journal = new JournalRecord(
      this.disk.outside,
      join(options.folder, "journal-copy"),
    );
    this.gateway = stack.use(
      new ChaosGateway({
        ...options,
        disk: this.disk,
        onDeath: ({ number, code }) => this.#onDeath(number, code),
        onEnd: async ({ number }) => {
          if (await this.#endedInMemory(number)) {
            this.#excusedSessions.add(number);
          }
          const log = await this.#logOf(number);
          if (log.includes("holds packets of its own")) {
            this.#joinedSessions.add(number);
          }
          await this.gateway.expectNothingLeft()
            .catch((error) => this.fault(error.message));
          await this.#journal.look(number);
        },
      }),
    );
  }

  /** Starts everything but the gateway; the board is ordered to be silent. */
  static async create(options: WorldOptions): Promise<World> {
    await using stack = new AsyncDisposableStack();
    if (options.fakeClock) findProgram("faketime");
    const mosquitto = stack.use(await startMosquitto());
    const victoria = stack.use(await startVictoriaMetrics());
    const brokerProxy = stack.use(await startTcpProxy(mosquitto.port));
    const databaseProxy = stack.use(
      await startTcpProxy(victoria.port, { resetsServer: false }),
    );
    const listener = stack.use(
      await Listener.connect(mosquitto.url, `${TOPIC_PREFIX}/#`),
    );
    // The write-ahead log and what is being copied need room beside the journal itself.
    const disk = stack.use(
      await makeJournalDisk(
        join(options.folder, "journal"),
        options.maxMegabytes + 48,
      ),
    );
    const world = new World(options, {
      disk,
      mosquitto,
      victoria,
      brokerProxy,
      databaseProxy,
      listener,
    }, stack.move());
    await world.gateway.setClock(0);
    await world.configure(["mqtt", "influxdb"]);
    await world.setRate(0);
    return world;
  }

  /** Whether the gateway's wall clock can be set. */
  get canSetClock(): boolean {
    return this.#options.fakeClock;
  }

  /** The configured sinks. */
  get sinks(): readonly SinkName[] {
    return this.#sinks;
  }

  say(text: string): void {
    this.#options.say(text);
  }

  /** What must not be so. */
  fault(text: string): void {
    this.say(`FAULT: ${text}`);
    this.#faults.push(text);
  }

  /** Writes config.toml for the gateway's next start. */
  async configure(sinks: readonly SinkName[]): Promise<void> {
    this.#sinks = sinks;
    const command = [
      ...[Deno.execPath(), "run", "-A", "-q", "--cached-only"],
      ...[BOARD, this.folder],
    ];
    const text = [
      ...(sinks.includes("mqtt")
        ? [
          "[mqtt]",
          `broker_url = "mqtt://127.0.0.1:${this.brokerProxy.port}"`,
          'client_id = "chaos"',
          `topic_prefix = "${TOPIC_PREFIX}"`,
          "qos = 1",
          'start_at = "oldest"',
          "keepalive_s = 5",
          "connect_timeout_s = 2",
          "ack_timeout_s = 2",
        ]
        : []),
      ...(sinks.includes("influxdb")
        ? [
          "[influxdb]",
          `url = "http://127.0.0.1:${this.databaseProxy.port}"`,
          'org = "my-org"',
          'bucket = "telemetry"',
          `token = "${TOKEN}"`,
          'start_at = "oldest"',
          "timeout_s = 3",
        ]
        : []),
      "[gateway]",
      `command = ${JSON.stringify(command)}`,
      "stop_timeout_s = 4",
      "[journal]",
      `folder = ${JSON.stringify(this.disk.folder)}`,
      `max_megabytes = ${this.#options.maxMegabytes}`,
      "[log]",
      'level = "debug"',
    ];
    await Deno.writeTextFile(
      join(this.folder, "config.toml"),
      `${text.join("\n")}\n`,
    );
  }

  /** Runs what starts and stops the gateway, one thing after the other. */
  async inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => {});
    await turn;
  }

  /** Orders the board to print so many packets a second. */
  async setRate(perS: number): Promise<void> {
    this.#perS = perS;
    await order(this.folder, { perS, act: this.#act });
  }

  /** As {@linkcode setRate}, with what is usual. */
  async setUsualRate(): Promise<void> {
    await this.setRate(USUAL_PER_S);
  }

  /** Orders the board to do something once. */
  async act(kind: BoardAct): Promise<void> {
    this.#act = { id: this.#act.id + 1, kind };
    await order(this.folder, { perS: this.#perS, act: this.#act });
  }

  /** Asks the gateway to end, and holds it to how it has to do that. */
  async stopGateway(signal: "SIGTERM" | "SIGINT" | "SIGHUP"): Promise<void> {
    const before = performance.now();
    const code = await this.gateway.stop(signal);
    const tookMs = Math.round(performance.now() - before);
    this.say(`ended with ${code} after ${tookMs} ms`);
    const number = this.gateway.sessions.at(-1)?.number ?? 0;
    // The runtime itself was still starting: nobody was there yet to end in order.
    const tooEarly = await this.#logOf(number) === "";
    const lostMemory = await this.#endedInMemory(number);
    if (code !== undefined && code !== 0 && !lostMemory && !tooEarly) {
      this.fault(`The gateway ended with ${code} when it was asked to stop`);
    }
    // What it promises, and a second for a busy machine.
    if (tookMs > 4000 + 1000) this.fault(`Stopping took ${tookMs} ms`);
  }

  /** Waits until everything is delivered; a fault if it is not within `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    await this.setRate(0);
    let status: Status | undefined;
    try {
      await eventually("nothing waits", async () => {
        // Meanwhile what was printed is read.
        await new Promise((resolve) => setTimeout(resolve, 500));
        status = await this.gateway.status();
        return status.sinks.length === this.sinks.length &&
          status.sinks.every(({ waiting }) => waiting === 0);
      }, timeoutMs);
      this.say("Everything is delivered");
    } catch (error) {
      this.fault(`${error}: ${status?.summary}`);
    }
  }

  /**
   * Gathers all that the check needs, once everything is drained and the gateway has ended: waits a
   * little for what the broker and the database still have in hand.
   */
  async evidence(): Promise<Evidence> {
    const rows = [...this.#journal.rows.values()];
    const status = await this.gateway.status();
    await this.#settled(() => this.listener.messages);
    const late = await this.#retained();
    return {
      prefix: TOPIC_PREFIX,
      printed: readBoardLog(this.folder),
      sessions: this.gateway.sessions.map((session) => ({
        ...session,
        excused: this.#excusedSessions.has(session.number),
        joined: this.#joinedSessions.has(session.number),
      })),
      rows,
      heard: this.listener.heard,
      retained: late,
      points: await this.victoria.export(),
      status,
      faults: [
        ...this.#faults,
        ...this.#journal.faults,
        ...await this.#secretsInLogs(),
      ],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #onDeath(number: number, code: number): void {
    this.fault(`The gateway ended by itself with ${code} (session ${number})`);
  }

  /** Waits until `count` has not changed for a second. */
  async #settled(count: () => number): Promise<void> {
    for (let before = -1; before !== count();) {
      before = count();
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  async #retained(): Promise<ReadonlyMap<string, string>> {
    await using late = await subscribe(this.mosquitto.url, `${TOPIC_PREFIX}/#`);
    await this.#settled(() => late.messages.length);
    return new Map(late.messages.map(({ topic, payload }) => [topic, payload]));
  }

  async #secretsInLogs(): Promise<string[]> {
    const found: string[] = [];
    for (const { number } of this.gateway.sessions) {
      if ((await this.#logOf(number)).includes(TOKEN)) {
        found.push(`The log of session ${number} holds the token`);
      }
    }
    return found;
  }

  /** Whether packets were only in memory when a session ended, or could not be written any more. */
  async #endedInMemory(session: number): Promise<boolean> {
    const log = await this.#logOf(session);
    return log.lastIndexOf("Packets are only in memory") >
        log.lastIndexOf("The disk takes the journal again") ||
      log.includes("Cannot write the journal");
  }

  /** Empty also for a session that was killed before it had a log. */
  async #logOf(session: number): Promise<string> {
    return await Deno.readTextFile(this.gateway.logPath(session))
      .catch(() => "");
  }
}
