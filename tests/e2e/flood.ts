/**
 * A flood: a child that prints as fast as it can while both servers are down and each sync of the
 * disk is slow; afterwards the servers come.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { SinkStatus } from "../../lib/monitor/status.ts";
import type { Program } from "../cli/program.ts";
import {
  findProgram,
  startMosquitto,
  startVictoriaMetrics,
} from "../servers.ts";
import type { FloodResult } from "./flood_board.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

/** Options for {@linkcode flood}. */
export interface FloodOptions {
  readonly program: Program;
  readonly packets: number;
  /** Milliseconds that each sync takes. */
  readonly fsyncMs: number;
}

/** What a flood did. */
export interface FloodReport {
  /** The child's own figures. */
  readonly child: FloodResult;
  /** The gateway's memory at the most, in MB. */
  readonly residentMb: number;
  /** When everything had been delivered. */
  readonly sinks: readonly SinkStatus[];
  readonly packets: number;
  /** What the gateway logged. */
  readonly log: string;
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Runs one flood to its end. */
export async function flood(
  { program, packets, fsyncMs }: FloodOptions,
): Promise<FloodReport> {
  await using mosquitto = await startMosquitto();
  await using victoria = await startVictoriaMetrics();
  await mosquitto.stop();
  await victoria.stop();
  await using slowDisk = await makeSlowDisk(fsyncMs);
  {
    await using gateway = await GatewayProcess.create({
      program,
      config: `
[mqtt]
broker_url = "${mosquitto.url}"
client_id = "flood"
topic_prefix = "iiot"
start_at = "oldest"
[influxdb]
url = "${victoria.url}"
org = "my-org"
bucket = "telemetry"
token = "flood"
[gateway]
command = ${
        JSON.stringify([
          ...[Deno.execPath(), "run", "-q", "-A", here("flood_board.ts")],
          ...[String(packets), "result"],
        ])
      }
[journal]
max_megabytes = 1000
reserve = false
[log]
level = "warning"
`,
      env: {
        ...slowDisk.env,
        DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
      },
    });
    gateway.start();
    const result = join(gateway.folder, "result");
    const child: FloodResult = await eventually(
      "the flood is over",
      async () =>
        await Deno.readTextFile(result).then(JSON.parse, () => undefined),
      300_000,
    );
    await mosquitto.start();
    await victoria.start();
    const status = await eventually("everything is delivered", async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const now = await gateway.status();
      return now.boards[0]?.packets === packets &&
        now.sinks.every(({ waiting }) => waiting === 0) && now;
    }, 600_000);
    const residentMb = await peakMb(gateway.pid);
    await gateway.end("SIGTERM");
    return {
      child,
      residentMb,
      sinks: status.sinks,
      packets,
      log: gateway.log,
    };
  }
}

/** What makes each sync of a process's disk take `fsyncMs`; needs gcc. */
export async function makeSlowDisk(
  fsyncMs: number,
): Promise<AsyncDisposable & { readonly env: Record<string, string> }> {
  const library = await Deno.makeTempFile({ suffix: ".so" });
  const source = here("slow_fsync.c");
  const { code, stderr } = await new Deno.Command(findProgram("gcc"), {
    args: ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"],
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return {
    env: { LD_PRELOAD: library, FSYNC_MS: String(fsyncMs) },
    [Symbol.asyncDispose]: () => Deno.remove(library),
  };
}

/** The most memory that a process had, in MB. */
async function peakMb(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
