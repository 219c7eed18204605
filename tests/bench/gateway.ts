/**
 * The gateway as a process beside real servers, ready to be measured.
 *
 *     await using gateway = await BenchGateway.create({ program, child: ["cat", "/tmp/lines"] });
 *     gateway.start();
 *     await gateway.delivered({ packets: 1000 });
 *
 * @module
 */

import { join } from "node:path";
import { ask } from "../../lib/control/client.ts";
import type { GatewayReport } from "../../lib/control/protocol.ts";
import type { Program } from "../cli/program.ts";
import { eventually, GatewayProcess } from "../e2e/gateway_process.ts";
import {
  type Mosquitto,
  startMosquitto,
  startVictoriaMetrics,
  type VictoriaMetrics,
} from "../servers.ts";
import { cpuTimes, type ProcessUsage, readUsage } from "./process_usage.ts";

/** How long everything may take to be delivered, in milliseconds. */
const DELIVERED_WITHIN_MS = 600_000;
/** How often the gateway is asked how far it is: each answer costs it 0.3 to 0.6 ms. */
const ASK_EVERY_MS = 100;

/** Options for {@linkcode BenchGateway.create}. */
export interface BenchGatewayOptions {
  readonly program: Program;
  /**
   * What prints the lines, started in the gateway's folder; it is started again when it ends, so see
   * {@linkcode once}. Left out where `toml` has boards of its own.
   */
  readonly child?: readonly string[];
  /** Where the sinks begin in a journal that does not know them. @default {"oldest"} */
  readonly startAt?: "now" | "oldest";
  /** More tables for config.toml. `[journal]` and `[log]` stand for what is given otherwise. */
  readonly toml?: string;
  /** Keys for `[mqtt]` and `[influxdb]` beyond those that tell where the servers are. */
  readonly mqtt?: string;
  readonly influxdb?: string;
  /** More of the environment, for the gateway only. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Mosquitto, VictoriaMetrics, and the gateway between its child and them. */
export class BenchGateway implements AsyncDisposable {
  readonly mosquitto: Mosquitto;
  readonly victoria: VictoriaMetrics;
  /** The process, its log and its folder. */
  readonly process: GatewayProcess;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    mosquitto: Mosquitto,
    victoria: VictoriaMetrics,
    process: GatewayProcess,
    stack: AsyncDisposableStack,
  ) {
    this.mosquitto = mosquitto;
    this.victoria = victoria;
    this.process = process;
    this.#stack = stack;
  }

  /** Starts the servers and makes the gateway's folder; the gateway does not run yet. */
  static async create(options: BenchGatewayOptions): Promise<BenchGateway> {
    await using stack = new AsyncDisposableStack();
    const mosquitto = stack.use(await startMosquitto());
    const victoria = stack.use(await startVictoriaMetrics());
    const process = stack.use(
      await GatewayProcess.create({
        program: options.program,
        config: configOf(options, mosquitto.url, victoria.url),
        env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "", ...options.env },
      }),
    );
    return new BenchGateway(mosquitto, victoria, process, stack.move());
  }

  /** The folder of the journal, which the gateway makes unless it is there. */
  get journalFolder(): string {
    return join(this.process.folder, "journal");
  }

  get pid(): number {
    return this.process.pid;
  }

  start(): void {
    this.process.start();
  }

  /** Stops it in order. @throws {Error} if it does not end well */
  async end(): Promise<void> {
    const code = await this.process.end("SIGTERM");
    if (code === 0) return;
    throw new Error(`The gateway ended with ${code}: ${this.process.log}`);
  }

  /** What the running gateway says of itself, as of now. @throws {Error} if it does not answer */
  report(): Promise<GatewayReport> {
    return ask(this.journalFolder, { do: "status" });
  }

  /** @throws {Deno.errors.NotFound} if it does not run */
  usage(): Promise<ProcessUsage> {
    return readUsage(this.pid);
  }

  /**
   * Waits until the child that was made by {@linkcode once} has started; gives when that was, in
   * milliseconds of `Date.now()`. Comes at most 20 ms later.
   *
   * @throws {Error} if the gateway has ended
   */
  async childStarted(): Promise<number> {
    const file = join(this.process.folder, STARTED);
    const made = await eventually("the child starts", async () => {
      const { mtime } = await Deno.stat(file).catch(() => ({ mtime: null }));
      return mtime ?? this.#hasNotEnded();
    });
    return made.getTime();
  }

  /** CPU of the command of {@linkcode once}, in milliseconds. @throws {Error} if it has not ended */
  async childCpuMs(): Promise<number> {
    const stat = await Deno.readTextFile(join(this.process.folder, ENDED));
    return cpuTimes(stat).endedChildrenMs;
  }

  /**
   * Waits until `packets` have been read, of all boards together, and every reading of them delivered
   * to both servers. The last look is at most 100 ms late.
   *
   * @throws {Error} if a ledger does not balance, something was dropped or the gateway has ended
   */
  async delivered({ packets }: { packets: number }): Promise<GatewayReport> {
    const report = await eventually(
      `${packets} packets are delivered`,
      async () => {
        await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
        const now = await this.report().catch(() => undefined);
        if (now === undefined) return this.#hasNotEnded();
        const read = now.journal.boards.reduce((sum, b) => sum + b.packets, 0);
        const isOut = now.journal.sinks.every(({ waiting }) => waiting === 0);
        return read >= packets && isOut && now;
      },
      DELIVERED_WITHIN_MS,
    );
    for (const { name, ledger, imbalance } of report.journal.sinks) {
      const isWhole = imbalance === 0 &&
        Object.values(ledger.dropped).every((count) => count === 0);
      if (isWhole) continue;
      throw new Error(
        `The ledger of "${name}" is off by ${imbalance}: ${
          JSON.stringify(ledger)
        }`,
      );
    }
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #hasNotEnded(): Promise<false> {
    try {
      await this.usage();
      return false;
    } catch {
      throw new Error(`The gateway has ended: ${this.process.log}`);
    }
  }
}

/** In the gateway's folder: made when the child of {@linkcode once} starts to print, … */
export const STARTED = "started";
/** … and with the shell's `/proc/PID/stat` when the command has ended. */
const ENDED = "ended";

/**
 * `command`, started in the gateway's folder, on its first start; later ones only sleep. A child that
 * ends is started again, and its lines are to come once.
 */
export function once(command: readonly string[]): string[] {
  const sleep = "exec sleep 1000000";
  const script =
    `[ -e ${STARTED} ] && ${sleep}; touch ${STARTED}; "$@"; cat /proc/$$/stat > ${ENDED}; ${sleep}`;
  return ["sh", "-c", script, "once", ...command];
}

function configOf(
  { child, toml = "", startAt = "oldest", mqtt = "", influxdb = "" }:
    BenchGatewayOptions,
  brokerUrl: string,
  influxdbUrl: string,
): string {
  const table = (name: string, text: string) =>
    toml.includes(`[${name}]`) ? "" : `[${name}]\n${text}\n`;
  return `
[mqtt]
broker_url = "${brokerUrl}"
client_id = "bench"
topic_prefix = "iiot"
start_at = "${startAt}"
${mqtt}
[influxdb]
url = "${influxdbUrl}"
org = "my-org"
bucket = "telemetry"
token = "bench"
start_at = "${startAt}"
${influxdb}
${child === undefined ? "" : `[gateway]\ncommand = ${JSON.stringify(child)}\n`}
${table("journal", "max_megabytes = 2000\nreserve = false")}
${table("log", 'level = "warning"')}
${toml}`;
}
