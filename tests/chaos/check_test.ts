import assert from "node:assert/strict";
import { BUILT_IN_METRICS } from "../../lib/catalogue.ts";
import { check } from "./check.ts";
import type { Evidence } from "./evidence.ts";
import type { HeardValue } from "./listener.ts";
import { indexOf, lineOf, MAX_PACKETS, PATHS, valueOf } from "./packet.ts";

const PACKETS = 20;
const READINGS = PACKETS * PATHS.length;
const INDEXES = Array.from({ length: PACKETS }, (_, index) => index);

/** A run in which everything arrived; `change` breaks it. */
function evidence(change: (good: Writable<Evidence>) => void = () => {}) {
  const sink = {
    received: READINGS,
    requeued: 0,
    delivered: READINGS,
    waiting: 0,
    dropped: {},
    balanced: true,
  };
  const metrics = BUILT_IN_METRICS.map((metric) => ({
    ...metric,
    topic: `chaos/${metric.node}/${metric.name}`,
  }));
  const good: Writable<Evidence> = {
    prefix: "chaos",
    printed: INDEXES.map((index) => ({
      index,
      atMs: 1000 + index,
      printed: true,
    })),
    sessions: [{
      number: 1,
      startedAtMs: 0,
      endedAtMs: 1100,
      how: "stopped",
      code: 0,
      excused: false,
      joined: false,
    }],
    rows: INDEXES.map((index) => ({
      seq: index + 1,
      index,
      timeUs: timeMs(index) * 1000 + 7,
      session: 1,
    })),
    heard: new Map(metrics.map(({ topic, path, retain }) => [
      topic,
      INDEXES.map((index) => ({
        value: valueOf(path, index),
        retain: retain && index === PACKETS - 1,
        again: false,
      })),
    ])),
    retained: new Map(
      metrics.filter(({ retain }) => retain).map(({ topic, path }) => [
        topic,
        String(valueOf(path, PACKETS - 1)),
      ]),
    ),
    points: metrics.flatMap(({ path, node, unit, measurement }) =>
      INDEXES.map((index) => ({
        name: `${measurement}_value`,
        tags: unit === null ? { node } : { node, unit },
        timeMs: timeMs(index),
        value: valueOf(path, index),
      }))
    ),
    status: {
      boards: [],
      sinks: [{ name: "mqtt", ...sink }, { name: "influxdb", ...sink }],
    },
    faults: [],
  };
  change(good);
  return good;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function timeMs(index: number): number {
  return 1_700_000_000_000 + 100 * index;
}

/** Puts `change(values)` in the place of what was heard on a topic. */
function heardOn(
  topic: string,
  change: (values: HeardValue[]) => void,
) {
  return (good: Writable<Evidence>) => {
    const values = [...good.heard.get(topic) ?? []];
    change(values);
    good.heard = new Map([...good.heard, [topic, values]]);
  };
}

Deno.test("check finds nothing in a run where everything arrived, repeats included", () => {
  assert.deepEqual(check(evidence()).faults, []);
  const repeated = evidence(heardOn("chaos/node1/temperature", (values) => {
    values.push(values[17]!, values[18]!, values[19]!);
    values.push({ ...values[18]!, retain: true, again: true });
  }));
  const { faults, table } = check(repeated);
  assert.deepEqual(faults, []);
  assert.match(String(table), /200 readings, repeats 4, missing 0/);
});

const BROKEN: Record<string, [(good: Writable<Evidence>) => void, RegExp]> = {
  "a point that is missing": [
    (good) => good.points = good.points.slice(1),
    /temperature_value node1 celsius does not hold 1 packets: 0/,
  ],
  "a message that is missing": [
    heardOn("chaos/signal/rssi", (values) => values.splice(4, 1)),
    /chaos\/signal\/rssi never got 1 packets: 4/,
  ],
  "a wrong value in the database": [
    (good) =>
      good.points = good.points.with(3, {
        ...good.points[3]!,
        value: 27.65432,
      }),
    /holds 27\.65432, which the journal never held/,
  ],
  "a wrong value in the broker": [
    heardOn("chaos/node2/pressure", (values) => {
      values[5] = { value: 1, retain: false, again: false };
    }),
    /chaos\/node2\/pressure got 1, which the journal never held/,
  ],
  "a value of another topic": [
    heardOn("chaos/node2/humidity", (values) => {
      values[5] = {
        value: valueOf("n1.t", 5),
        retain: false,
        again: false,
      };
    }),
    /chaos\/node2\/humidity got/,
  ],
  "a point with two times": [
    (good) => {
      const { timeMs, ...point } = good.points[0]!;
      good.points = [...good.points, { ...point, timeMs: timeMs + 1 }];
    },
    /holds 1 doubles/,
  ],
  "a time that is not the journal's": [
    (good) => {
      const { timeMs, ...point } = good.points[0]!;
      good.points = good.points.with(0, { ...point, timeMs: timeMs - 5 });
    },
    /holds packet 0 at 1699999999995, the journal at 1700000000000/,
  ],
  "a first delivery that is out of order": [
    heardOn("chaos/node1/humidity", (values) => {
      [values[7], values[8]] = [values[8]!, values[7]!];
    }),
    /chaos\/node1\/humidity got packet 7 first after 8/,
  ],
  "a retained value that goes back": [
    heardOn("chaos/node1/temperature", (values) => {
      values.push({ ...values[3]!, retain: true });
    }),
    /chaos\/node1\/temperature retained packet 3 after packet 19/,
  ],
  "a retained value that is not the newest at the end": [
    (good) =>
      good.retained = new Map([
        ...good.retained,
        ["chaos/node1/temperature", String(valueOf("n1.t", 18))],
      ]),
    /chaos\/node1\/temperature retains -29\.9982 \(packet 18\) and not -29\.9981/,
  ],
  "a row that a restart dropped": [
    (good) => {
      good.rows = good.rows.filter(({ index }) => index !== 6);
      good.points = good.points.filter(({ timeMs: at }) => at !== timeMs(6));
    },
    /Printed, and never journalled without a reason: 1 packets: 6/,
  ],
  "packets lost by an end in order": [
    (good) => good.rows = good.rows.slice(0, -1),
    /never journalled without a reason: 1 packets: 19/,
  ],
  "packets lost long before a kill": [
    (good) => {
      good.rows = good.rows.slice(0, -1);
      good.sessions = [{
        ...good.sessions[0]!,
        how: "killed",
        endedAtMs: 9000,
      }];
    },
    /never journalled without a reason: 1 packets: 19/,
  ],
  "a packet that a joined memory lost on its way to one server": [
    (good) => {
      good.sessions = [{ ...good.sessions[0]!, joined: true }];
      good.rows = good.rows.filter(({ index }) => index !== 6 && index !== 7);
      good.points = good.points.filter(({ timeMs: at }) => at !== timeMs(7));
    },
    /Printed, and never journalled without a reason: 1 packets: 7/,
  ],
  "a ledger that does not balance": [
    (good) => {
      const [first, second] = good.status.sinks;
      const broken = { ...first!, delivered: 3 };
      good.status = { ...good.status, sinks: [broken, second!] };
    },
    /The ledger of mqtt does not balance/,
  ],
  "a ledger that counted what never was": [
    (good) => {
      const [first, second] = good.status.sinks;
      const broken = { ...first!, received: 210, delivered: 210 };
      good.status = { ...good.status, sinks: [broken, second!] };
    },
    /The ledger of mqtt received 210 readings \(overrun 0\), the journal held 200/,
  ],
  "readings that were given up": [
    (good) => {
      const [first, second] = good.status.sinks;
      const broken = { ...first!, delivered: 199, dropped: { corrupt: 1 } };
      good.status = { ...good.status, sinks: [broken, second!] };
    },
    /The ledger of mqtt dropped 1 readings \(corrupt\)/,
  ],
  "a journal that stayed empty": [
    (good) => good.rows = [],
    /never held a packet/,
  ],
};

for (const [what, [change, wanted]] of Object.entries(BROKEN)) {
  Deno.test(`check sees ${what}`, () => {
    assert.match(check(evidence(change)).faults.join("\n"), wanted);
  });
}

Deno.test("check lets the last packets before a kill be lost, and counts them", () => {
  const lost = (index: number) => index >= PACKETS - 2;
  const { faults, table } = check(evidence((good) => {
    good.sessions = [{ ...good.sessions[0]!, how: "killed" }];
    good.rows = good.rows.slice(0, -2);
    const newest = PACKETS - 3;
    good.heard = new Map([...good.heard].map(([topic, values]) => [
      topic,
      values.slice(0, -2),
    ]));
    good.retained = new Map([...good.retained].map(([topic]) => {
      const { path } = BUILT_IN_METRICS.find(({ node, name }) =>
        topic === `chaos/${node}/${name}`
      )!;
      return [topic, String(valueOf(path, newest))];
    }));
    good.points = good.points.filter(({ timeMs: at }) =>
      !INDEXES.some((index) => lost(index) && at === timeMs(index))
    );
    const readings = (PACKETS - 2) * PATHS.length;
    good.status = {
      ...good.status,
      sinks: good.status.sinks.map((sink) => ({
        ...sink,
        received: readings,
        delivered: readings,
      })),
    };
  }));
  assert.deepEqual(faults, []);
  assert.match(String(table), /Lost with a killed process,2 packets/);
});

Deno.test("check lets what a joined memory had delivered to both servers stand in no journal", () => {
  const { faults } = check(evidence((good) => {
    good.sessions = [{ ...good.sessions[0]!, joined: true }];
    good.rows = good.rows.filter(({ index }) => index !== 6);
  }));
  assert.deepEqual(faults, []);
});

Deno.test("Every reading of a numbered packet is plausible and tells the packet's number", () => {
  for (const { path, range } of BUILT_IN_METRICS) {
    for (const index of [0, 1, 12_345, MAX_PACKETS - 1]) {
      const value = valueOf(path, index);
      assert.equal(indexOf(path, value), index, path);
      assert.ok(range && value >= range[0] && value <= range[1], path);
    }
  }
  assert.equal(indexOf("n1.t", 85.5), undefined);
  assert.equal(indexOf("n1.t", 27.65432), undefined);
  assert.match(lineOf(7, 12), /JSON sent via VCP: \{"ts":12,"id":"N2","n1":/);
});
