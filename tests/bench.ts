/**
 * `deno task bench [--packets N] [--executable]`: the whole way against real servers.
 *
 * A child floods packets through stdout; the gateway journals them (synced before anything is sent),
 * publishes nine messages each at QoS 1 to mosquitto and writes nine points each to VictoriaMetrics.
 * The clock runs from the gateway's first packet to the last acknowledgement. The firmware's other log
 * lines are read as well, and not shown.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { PROGRAMS } from "./cli/program.ts";
import { eventually, GatewayProcess } from "./e2e/gateway_process.ts";
import { readReport } from "../lib/journal/report.ts";
import { journalPath } from "../lib/journal/folder.ts";
import {
  findProgram,
  startMosquitto,
  startVictoriaMetrics,
} from "./servers.ts";

/** Clock ticks a second in /proc/PID/stat: `getconf CLK_TCK`, 100 on every Linux. */
const TICKS_PER_S = 100;
const READINGS = 9;

const { values } = parseArgs({
  options: {
    packets: { type: "string", default: "100000" },
    executable: { type: "boolean", default: false },
  },
});
const packets = Number(values.packets);
const form = values.executable ? "executable" : "source";
const program = PROGRAMS.find((one) => one.form === form);
if (program === undefined) {
  throw new Error("IIOT_GATEWAY_EXECUTABLE does not name the executable");
}
for (const name of ["mosquitto", "victoria-metrics"]) findProgram(name);

await using mosquitto = await startMosquitto();
await using victoria = await startVictoriaMetrics();
const simulate = ["simulate", "--interval", "0", "--count", String(packets)];
await using gateway = await GatewayProcess.create({
  program,
  config: `
[mqtt]
broker_url = "${mosquitto.url}"
client_id = "bench"
topic_prefix = "iiot"
start_at = "oldest"
[influxdb]
url = "${victoria.url}"
org = "my-org"
bucket = "telemetry"
token = "bench"
[gateway]
command = ${
    JSON.stringify([
      ...["sh", "-c"],
      // Only the first start prints; a child that ends is started again.
      '[ -e done ] && exec sleep 1000000; touch done; exec "$@"',
      "flood",
      ...program.command,
      ...simulate,
    ])
  }
[journal]
max_megabytes = 1000
[log]
level = "warning"
`,
  env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "" },
});

gateway.start();
const journal = journalPath(`${gateway.folder}/journal`);
const started = await eventually("the first packet", () => {
  const newest = reportOf(journal)?.newest;
  return newest !== undefined && newest !== null && performance.now();
});
const samples: number[] = [];
await eventually(
  "everything is delivered",
  async () => {
    samples.push(await residentMb(gateway.pid));
    const sinks = reportOf(journal)?.sinks ?? [];
    return sinks.length === 2 &&
      sinks.every(({ ledger }) =>
        ledger.delivered >= packets * READINGS * 0.99 && ledger.delivered > 0
      ) && sinks.every(({ waiting }) => waiting === 0);
  },
  600_000,
);
const seconds = (performance.now() - started) / 1000;
const cpuMs = await cpuMillis(gateway.pid);
const report = reportOf(journal);
await gateway.end("SIGTERM");

print(`${packets} packets, ${READINGS} readings each, ${form}`);
print("");
const rows: [string, string][] = [
  ["packets/s", (packets / seconds).toFixed(0)],
  ["messages/s and points/s", (packets * READINGS / seconds).toFixed(0)],
  ["CPU per packet", `${(cpuMs / packets).toFixed(3)} ms`],
  ["resident memory, most", `${Math.max(...samples).toFixed(0)} MB`],
  [
    "journal per packet",
    `${((report?.usedBytes ?? 0) / packets).toFixed(0)} bytes`,
  ],
];
for (const [name, value] of rows) print(`${name.padEnd(26)} ${value}`);
for (const { name, ledger, waiting, imbalance } of report?.sinks ?? []) {
  const dropped = JSON.stringify(ledger.dropped);
  print(
    `${name}: received ${ledger.received}, delivered ${ledger.delivered}, waiting ${waiting}, dropped ${dropped}, imbalance ${imbalance}`,
  );
}

/** The journal's report; undefined while there is none to read. */
function reportOf(path: string) {
  try {
    return readReport(path);
  } catch {
    return undefined;
  }
}

async function residentMb(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** User and system time of the process so far, in milliseconds. */
async function cpuMillis(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS_PER_S;
}

function print(line: string): void {
  // deno-lint-ignore no-console -- this is a program of its own
  console.log(line);
}
