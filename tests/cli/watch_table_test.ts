import assert from "node:assert/strict";
import { textWidth } from "../../lib/cli/terminal/text_width.ts";
import { watchTable, type WatchView } from "../../lib/cli/watch/table.ts";
import type { WatchedTopic } from "../../lib/cli/watch/watched_topics.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");

function topic(
  name: string,
  value: number | string,
  more: Partial<WatchedTopic["newest"]> = {},
  numbers: readonly number[] = typeof value === "number" ? [value] : [],
): WatchedTopic {
  return {
    newest: {
      topic: `iiot/${name}`,
      text: String(value),
      value,
      unit: null,
      isRetained: false,
      isStored: false,
      isHistorical: false,
      ...more,
    },
    ms: 1000,
    numbers,
  };
}

function view(
  topics: readonly WatchedTopic[],
  more: Partial<WatchView> = {},
): WatchView {
  return {
    status: "iiot/# at 127.0.0.1:1883, MQTT 5",
    isDown: false,
    notes: [],
    topics,
    nameOf: (name) => name.replace("iiot/", ""),
    ms: 3500,
    timeOfDayMs: NOW,
    ...more,
  };
}

const TOPICS = [
  topic("gateway/state", "online", { isRetained: true, isStored: true }),
  topic("node1/gas_resistance", 84190, { unit: "ohms" }, [1, 2, 3, 84190]),
  topic("node1/temperature", 27.6, { unit: "celsius", isRetained: true }, [
    20,
    22,
    27.6,
  ]),
  topic("node2/pressure", 1013.2, {
    unit: "hpa",
    isHistorical: true,
    happened: "2026-11-23T08:00:00Z",
  }),
];

Deno.test("watchTable lines up names, ages, flags and values", () => {
  assert.deepEqual(
    watchTable(view(TOPICS), { columns: 100, rows: 24, color: false })
      .map((line) => line.trimEnd()),
    [
      "iiot/# at 127.0.0.1:1883, MQTT 5",
      "",
      "TOPIC                    AGE  FLAGS       VALUE",
      "gateway/state         stored  retained    online",
      "node1/gas_resistance     3 s               84190 Ω    ▁▁▁█                 ↗",
      "node1/temperature        3 s  retained      27.6 °C   ▁▃█                  ↗",
      "node2/pressure           2 h  historical  1013.2 hPa  ▅",
    ],
  );
});

Deno.test("watchTable fits into every window, whatever the values are", () => {
  const topics = [
    ...TOPICS,
    topic("a/very/long/topic/that/does/not/end/soon", "x".repeat(500), {
      isRetained: true,
      isHistorical: true,
    }),
    topic("温度/計", 1.2345678901234567e-300, { unit: "kilowatt_hours" }),
  ];
  for (const color of [false, true]) {
    for (const columns of [1, 10, 20, 40, 60, 79, 200]) {
      for (const rows of [1, 2, 4, 5, 8, 50]) {
        const lines = watchTable(view(topics, { notes: ["note"] }), {
          columns,
          rows,
          color,
        });
        assert.ok(lines.length <= rows, `${columns}x${rows}`);
        for (const line of lines) {
          // deno-lint-ignore no-control-regex -- colours take no column
          const plain = line.replace(/\x1b\[\d+m/g, "");
          assert.ok(textWidth(plain) <= columns, `${columns}: ${plain}`);
        }
      }
    }
  }
});

Deno.test("watchTable shows what fits and counts the rest", () => {
  const many = Array.from(
    { length: 30 },
    (_, i) => topic(`t${String(i).padStart(2, "0")}`, i),
  );
  const lines = watchTable(view(many), { columns: 80, rows: 10, color: false });
  assert.equal(lines.length, 10);
  assert.match(lines.at(-2) ?? "", /^t05/);
  assert.match(lines.at(-1) ?? "", /^… and 24 more: /);
});

Deno.test("watchTable shows what to do in place of a table that is empty", () => {
  const notes = ["Nothing has come yet", "  iiot-gateway status"];
  assert.deepEqual(
    watchTable(view([], { notes }), { columns: 80, rows: 24, color: false }),
    ["iiot/# at 127.0.0.1:1883, MQTT 5", ...notes],
  );
});

Deno.test("watchTable colours a link that is down, and only on request", () => {
  const [status = ""] = watchTable(view([], { isDown: true }), {
    columns: 80,
    rows: 24,
    color: true,
  });
  assert.equal(status, "\x1b[31miiot/# at 127.0.0.1:1883, MQTT 5\x1b[0m");
});

Deno.test("watchTable wraps what is wrong and what to do, and cuts no word of it", () => {
  const status = "Cannot connect to the broker: nothing listens there";
  const notes = ["To do: start the broker, or correct the URL"];
  const lines = watchTable(view([], { isDown: true, status, notes }), {
    columns: 30,
    rows: 24,
    color: false,
  });
  assert.equal(lines.join(" "), [status, ...notes].join(" "));
  assert.ok(lines.every((line) => line.length <= 30));
});
