import assert from "node:assert/strict";
import { join } from "node:path";
import { PROGRAMS } from "../cli/program.ts";
import {
  requires,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
} from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const LINE = 'JSON sent via VCP: {"n1":{"t":21.5}}';

/** The system calls that put something on a disk or a wire, with what they carry. */
const STRACE = [
  ...["strace", "-f", "-y", "-s", "5000", "-o", "trace"],
  ...["-e", "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg"],
];

Deno.test({
  name:
    "Nothing of a packet leaves for a server before the packet is synced to the disk",
  ...requires("strace", "mosquitto", "victoria-metrics"),
  fn: async () => {
    const [source] = PROGRAMS;
    assert.ok(source);
    await using mosquitto = await startMosquitto();
    await using victoria = await startVictoriaMetrics();
    await using subscriber = await subscribe(mosquitto.url, "iiot/#");
    await using gateway = await GatewayProcess.create({
      program: { form: "strace", command: [...STRACE, ...source.command] },
      config: `
[mqtt]
broker_url = "${mosquitto.url}"
client_id = "durability"
topic_prefix = "iiot"
[influxdb]
url = "${victoria.url}"
org = "my-org"
bucket = "telemetry"
token = "t"
[gateway]
command = ["sh", "-c", "echo '${LINE.replaceAll('"', '\\"')}'; exec sleep 1000"]
`,
    });
    gateway.start();
    await subscriber.waitFor(1);
    await eventually(
      "the point arrives",
      async () => (await victoria.export()).length === 1,
    );
    // strace does not hand a signal on, so it goes to the gateway itself.
    const lock = join(gateway.folder, "journal", "journal.lock");
    Deno.kill(Number(await Deno.readTextFile(lock)), "SIGTERM");
    await gateway.end();

    const calls = (await Deno.readTextFile(join(gateway.folder, "trace")))
      .split("\n");
    const first = (pattern: RegExp, from = 0) => {
      const index = calls.findIndex((call, at) =>
        at >= from && pattern.test(call)
      );
      assert.ok(index >= 0, String(pattern));
      return index;
    };
    const written = first(/pwrite64\(.*journal\.db-wal.*n1\.t\\":21\.5/);
    const synced = first(/f(data)?sync\(.*journal\.db-wal.*= 0/, written);
    const published = first(/iiot\/node1\/temperature/);
    const posted = first(/temperature,node=node1,unit=celsius value=21\.5/);
    assert.ok(synced < published, `${synced} < ${published}`);
    assert.ok(synced < posted, `${synced} < ${posted}`);
  },
});
