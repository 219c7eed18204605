import assert from "node:assert/strict";
import mqtt from "mqtt";
import {
  requires,
  requiresRoot,
  startMosquitto,
  startVictoriaMetrics,
  subscribe,
} from "./servers.ts";

Deno.test({
  name:
    "startMosquitto gives a broker that keeps what it has through a stop and a start",
  ...requires("mosquitto"),
  async fn() {
    await using broker = await startMosquitto();
    const client = await mqtt.connectAsync(broker.url, {
      protocolVersion: 5,
      reconnectPeriod: 0,
    });
    await client.publishAsync("a/b", "27.6", { qos: 1, retain: true });
    await client.endAsync();
    await broker.stop();
    await broker.start();
    await using heard = await subscribe(broker.url, "a/#");
    const [message] = await heard.waitFor(1);
    assert.deepEqual(message, {
      topic: "a/b",
      payload: "27.6",
      retain: true,
      qos: 1,
      duplicate: false,
      userProperties: {},
    });
  },
});

Deno.test({
  name: "startVictoriaMetrics gives points back, also after a stop and a start",
  ...requires("victoria-metrics"),
  async fn() {
    await using database = await startVictoriaMetrics();
    const futureMs = Date.now() + 3_600_000;
    const series = "temperature,node=node1,unit=celsius";
    const answer = await fetch(`${database.url}/api/v2/write?precision=us`, {
      method: "POST",
      body:
        `${series} value=27.6 1700000000000000\n${series} value=27.7 ${futureMs}000`,
    });
    await answer.body?.cancel();
    assert.equal(answer.status, 204);
    const wanted = [[1_700_000_000_000, 27.6], [futureMs, 27.7]].map((
      [timeMs, value],
    ) => ({
      name: "temperature_value",
      tags: { node: "node1", unit: "celsius" },
      timeMs,
      value,
    }));
    assert.deepEqual(await database.export(), wanted);
    await database.stop();
    await database.start();
    assert.deepEqual(await database.export(), wanted);
  },
});

Deno.test("requires notes the missing program with the room and ignores the test", () =>
  isIgnored(() => requires("no-such-program"), "no-such-program"));

Deno.test("requiresRoot ignores a test likewise where somebody else runs it", async () => {
  const { uid } = Deno;
  Deno.uid = () => 1000;
  try {
    await isIgnored(() => requiresRoot("no-such-program"), "root");
  } finally {
    Deno.uid = uid;
  }
});

/** Looks at the note of `missing`, and that nothing is ignored where everything is required. */
async function isIgnored(
  options: () => { ignore: boolean },
  missing: string,
): Promise<void> {
  const notes = await Deno.makeTempFile();
  const before = Deno.env.get("SKIPPED_SERVERS_FILE");
  const real = Deno.env.get("REQUIRE_REAL");
  try {
    Deno.env.set("SKIPPED_SERVERS_FILE", notes);
    Deno.env.delete("REQUIRE_REAL");
    assert.deepEqual(options(), { ignore: true });
    assert.equal(
      await Deno.readTextFile(notes),
      `${missing}\tservers_test.ts\n`,
    );
    Deno.env.set("REQUIRE_REAL", "1");
    assert.deepEqual(options(), { ignore: false });
  } finally {
    if (before === undefined) Deno.env.delete("SKIPPED_SERVERS_FILE");
    else Deno.env.set("SKIPPED_SERVERS_FILE", before);
    if (real !== undefined) Deno.env.set("REQUIRE_REAL", real);
    else Deno.env.delete("REQUIRE_REAL");
    await Deno.remove(notes);
  }
}
