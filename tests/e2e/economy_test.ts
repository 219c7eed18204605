import assert from "node:assert/strict";
import { join } from "node:path";
import { journalPath } from "../../lib/journal/folder.ts";
import { readReport } from "../../lib/journal/report.ts";
import { callsIn } from "../bench/system_calls.ts";
import { PROGRAMS } from "../cli/program.ts";
import { requires, startMosquitto, startVictoriaMetrics } from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

/** Readings of each packet. */
const READINGS = 4;
const PACKETS = 5;

const lineOf = (packet: number) =>
  `JSON sent via VCP: {"n1":{"t":21.${packet},"h":50},"n2":{"t":22,"p":1013}}\n`;

/** The system calls that put something on a disk or a wire, each with the file or socket. */
const STRACE = [
  ...["strace", "-f", "-yy", "-s", "5000", "-o", "trace"],
  ...["-e", "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg"],
];

Deno.test({
  name:
    "A packet costs one sync of the disk and one write to each server, its cursors included",
  ...requires("strace", "mosquitto", "victoria-metrics"),
  fn: async () => {
    const [source] = PROGRAMS;
    assert.ok(source);
    await using mosquitto = await startMosquitto();
    await using victoria = await startVictoriaMetrics();
    await using gateway = await GatewayProcess.create({
      program: { form: "strace", command: [...STRACE, ...source.command] },
      config: `
[mqtt]
broker_url = "${mosquitto.url}"
client_id = "economy"
topic_prefix = "iiot"
state_topics = false
[influxdb]
url = "${victoria.url}"
org = "my-org"
bucket = "telemetry"
token = "t"
[gateway]
command = ["tail", "-n", "+1", "-f", "lines"]
[journal]
reserve = false
`,
    });
    const lines = join(gateway.folder, "lines");
    const journal = join(gateway.folder, "journal");
    await Deno.writeTextFile(lines, "");
    gateway.start();
    for (let packet = 0; packet < PACKETS; packet++) {
      await Deno.writeTextFile(lines, lineOf(packet), { append: true });
      // The next one comes when nothing is left to do for this one, on the disk neither.
      await eventually(`packet ${packet} is booked as delivered`, () => {
        const { sinks } = readReport(journalPath(journal));
        return sinks.length === 2 &&
          sinks.every(({ ledger }) =>
            ledger.delivered === READINGS * (packet + 1)
          );
      });
    }
    // strace does not hand a signal on, so it goes to the gateway itself.
    const lock = await Deno.readTextFile(join(journal, "journal.lock"));
    Deno.kill(Number(lock), "SIGTERM");
    await gateway.end();

    // The first packet is left out: with it links and files are made. The second one's way begins
    // where it is written to the journal.
    const trace = await Deno.readTextFile(join(gateway.folder, "trace"));
    const begin = trace.search(/^.*pwrite64\(.*n1\.t\\":21\.1/m);
    const end = trace.indexOf("--- SIGTERM");
    assert.ok(begin > 0 && end > begin);
    const { syncs, writesTo } = callsIn(trace.slice(begin, end));
    assert.equal(writesTo(mosquitto.port), PACKETS - 1);
    assert.equal(writesTo(victoria.port), PACKETS - 1);
    assert.equal(syncs, PACKETS - 1);
  },
});
