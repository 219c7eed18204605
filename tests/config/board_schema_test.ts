import assert from "node:assert/strict";
import fc from "fast-check";
import { createCatalogue } from "../../lib/catalogue.ts";
import { ConfigError } from "../../lib/config/config.ts";
import { mayBeOneProbe } from "../../lib/config/board_schema.ts";
import { LineProtocol } from "../../lib/sink/line_protocol.ts";
import { MqttTopics } from "../../lib/sink/mqtt_topics.ts";
import { INFLUXDB, load } from "./load.ts";

const SERIAL = "066DFF3833584B3043115433";

Deno.test("mayBeOneProbe sees one probe behind two ways to write it", () => {
  for (
    const [one, other] of [
      ["0483:374b", "0483:374b"],
      ["0483:374b", "483:374B"],
      ["0483:374b", `0483:374b:${SERIAL}`],
      ["0483:374b-1", `0483:374b:${SERIAL}`],
      [`0483:374b:${SERIAL}`, `0483:374B:${SERIAL.toLowerCase()}`],
      [`0483:374b-01:${SERIAL}`, `0483:374b-1:${SERIAL}`],
      ["303a:1001:DC:DA:0C:D3:FE:D8", "303A:1001:dc:da:0c:d3:fe:d8"],
    ] as const
  ) {
    assert(mayBeOneProbe(one, other), `${one} and ${other}`);
    assert(mayBeOneProbe(other, one), `${other} and ${one}`);
  }
});

Deno.test("mayBeOneProbe tells two probes apart", () => {
  for (
    const [one, other] of [
      ["0483:374b", "0483:3748"],
      ["0483:374b", "0484:374b"],
      [`0483:374b:${SERIAL}`, `0483:374b:${SERIAL}0`],
      // A serial number that is empty is that of a probe without one.
      [`0483:374b:${SERIAL}`, "0483:374b:"],
      ["0403:6010-0", "0403:6010-1"],
      ["303a:1001:DC:DA:0C:D3:FE:D8", "303a:1001:DC:DA:0C:D3:FE:D9"],
    ] as const
  ) {
    assert(!mayBeOneProbe(one, other), `${one} and ${other}`);
    assert(!mayBeOneProbe(other, one), `${other} and ${one}`);
  }
});

Deno.test("No two boards of a configuration that loads share a topic, live or of the past, or a series", async () => {
  const word = fc.constantFrom(
    ...["history", "node1", "gateway", "board", "check", "status", "state"],
    ...["temperature", "hall", "Hall", "iiot", "_"],
  );
  const metric = fc.record({ node: word, name: word });
  let loaded = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(word, { minLength: 1, maxLength: 4 }),
      fc.array(metric, { maxLength: 3 }),
      fc.boolean(),
      async (names, metrics, single) => {
        const config = await load([
          single ? 'gateway.command = ["cat"]' : "",
          INFLUXDB,
          ...names.map((name, index) =>
            `[[board]]\nname = "${name}"\ncommand = ["cat", "${index}"]`
          ),
          ...metrics.map(({ node, name }, index) =>
            `[[metric]]\npath = "x${index}.y"\nnode = "${node}"\nname = "${name}"`
          ),
        ].join("\n")).catch((error) => {
          if (!(error instanceof ConfigError)) throw error;
          return null;
        });
        if (config === null) return;
        loaded++;
        const catalogue = createCatalogue(config.metrics);
        const topics = new MqttTopics("iiot", true, catalogue);
        const past = new MqttTopics("iiot/history", false, catalogue);
        const lines = new LineProtocol(catalogue, { site: "1" });
        // Packets of the time when [gateway] was the only board may still be in the journal.
        const boards = new Set(["", ...config.boards.map(({ name }) => name)]);
        const all = [...boards].flatMap((board) =>
          [...catalogue.keys()].flatMap((path) => [
            topics.of(board, path)?.name,
            past.of(board, path)?.name,
            lines.line({ ...ROW, board }, { path, value: 1 }),
          ])
        );
        assert.equal(new Set(all).size, all.length);
        assert(!all.includes(undefined));
      },
    ),
    { numRuns: 300 },
  );
  assert(loaded > 30, `Only ${loaded} were loaded`);
});

const ROW = {
  seq: 1,
  timeUs: 1,
  timeQuality: "known",
  boardTs: null,
  readings: [],
  total: 1,
} as const;
