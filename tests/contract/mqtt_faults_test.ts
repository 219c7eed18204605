/**
 * The MQTT sink under its forwarder and over a journal, with brokers that refuse: nothing is lost, what
 * is refused for good is among the rejects, and all recovers without a hand.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Forwarder } from "../../lib/forwarder/forwarder.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import type { MqttSinkOptions } from "../../lib/sink/mqtt.ts";
import { makeFolder, openJournal, Writer } from "../journal/world.ts";
import { mqttSink } from "../sink/given.ts";
import {
  type BrokerScript,
  startScriptedBroker,
} from "../sink/scripted_broker.ts";
import { captureLog } from "../source/log_capture.ts";

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

function standing(journal: Journal) {
  const { ledger, waiting, imbalance } = journal.standings()[0]!;
  assert.equal(imbalance, 0);
  return { ledger, waiting };
}

/** A journal with `count` packets, a broker, and a forwarder between them while `act` runs. */
async function withForwarder(
  script: BrokerScript,
  count: number,
  options: Partial<MqttSinkOptions>,
  act: (world: {
    journal: Journal;
    writer: Writer;
    published: () => string[];
  }) => Promise<void>,
): Promise<void> {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  const writer = new Writer(journal);
  const packets = Array.from({ length: count }, (_, i) => i + 1)
    .map((n) => ({ "n1.t": n, "n2.p": n, "sts.rx": n }));
  await writer.append(...packets);
  await using broker = startScriptedBroker(script);
  const forwarder = new Forwarder({
    sink: mqttSink(broker.url, {}, {
      isNewest: (row, path) => journal.isNewest(row, path),
      latest: () => journal.latest(),
      ...options,
    }),
    cursor: journal.cursor("mqtt"),
    backoff: { next: () => 1, reset: () => {} },
    onCommit: (listener) => journal.onCommit(listener),
    slowRetryMs: 1,
    parkedRetryMs: 10,
  });
  const running = forwarder.run();
  try {
    await act({
      journal,
      writer,
      published: () =>
        broker.published.map(({ topic, payload }) => `${topic} ${payload}`),
    });
  } finally {
    forwarder.stop(AbortSignal.abort());
    await running;
  }
}

Deno.test("A topic that the broker hangs up at costs two rejects and waits, while the rest flows; when it is allowed all goes out", async () => {
  let ms = 0;
  let forbidden = true;
  const at = ({ topic }: { topic: string }) =>
    forbidden && topic === "iiot/node2/pressure" ? "close" as const : undefined;
  await withForwarder({ at }, 100, { monotonic: () => ms }, async (world) => {
    const { journal, writer } = world;
    while (standing(journal).waiting > 98) await turn();
    const { ledger } = standing(journal);
    assert.deepEqual(ledger.dropped, { rejected: 2 });
    assert.equal(ledger.delivered, 200);
    assert.equal(ledger.parked, 98);
    forbidden = false;
    ms += 300_000;
    while (standing(journal).waiting > 0) {
      await writer.append({});
      await turn();
    }
    assert.equal(standing(journal).ledger.delivered, 298);
    const heard = new Set(world.published());
    assert.equal(heard.size, 300);
  });
});

Deno.test("A topic that stays forbidden costs a few sessions every five minutes, and no reading more", async () => {
  let ms = 0;
  const at = ({ topic }: { topic: string }) =>
    topic === "iiot/node2/pressure" ? "close" as const : undefined;
  await withForwarder({ at }, 20, { monotonic: () => ms }, async (world) => {
    const { journal, writer } = world;
    while (standing(journal).waiting > 18) await turn();
    for (let round = 0; round < 5; round++) {
      ms += 300_000;
      await writer.append({ "n1.t": 1, "n2.p": 1 });
      const before = world.published().length;
      while (standing(journal).waiting > 19 + round) await turn();
      for (let i = 0; i < 50; i++) await turn();
      const { ledger } = standing(journal);
      assert.deepEqual(ledger.dropped, { rejected: 2 });
      assert.ok(world.published().length - before < 60);
    }
  });
});

for (const code of [0x80, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x97]) {
  Deno.test(`A connection refused with 0x${code.toString(16)} is tried until it is taken, and said once`, async () => {
    let refusals = 0;
    await using log = await captureLog();
    const connack = () => refusals++ < 5 ? code : 0;
    await withForwarder({ connack }, 3, {}, async ({ journal }) => {
      while (standing(journal).waiting > 0) await turn();
      assert.equal(standing(journal).ledger.delivered, 9);
      while (log.lines.length < 3) await turn();
    });
    const said = log.lines.filter((line) => line.includes("refuses"));
    assert.equal(said.length, 1);
    assert.match(said[0]!, /Cannot deliver: .* kept until it works/);
    assert.match(log.lines.at(-1)!, /Delivers again after/);
  });
}

for (const connack5 of [0, 1]) {
  Deno.test(`A broker that ends sessions for retained messages gets none any more, ${connack5 === 0 ? "with MQTT 5" : "and on MQTT 3.1.1 all is kept"}`, async () => {
    const at = ({ retain }: { retain: boolean }) =>
      !retain ? undefined : connack5 === 0 ? 0x9a : "close" as const;
    await using log = await captureLog();
    await withForwarder({ at, connack5 }, 3, {}, async ({ journal }) => {
      if (connack5 === 0) {
        while (standing(journal).waiting > 0) await turn();
        assert.equal(standing(journal).ledger.delivered, 9);
        return;
      }
      while (!log.lines.some((line) => line.includes("mqtt.retain"))) {
        await turn();
      }
      assert.deepEqual(standing(journal).ledger.dropped, {});
    });
  });
}
