import assert from "node:assert/strict";
import { join } from "node:path";
import { brokenDisk, spareDisk } from "../journal/broken_disk.ts";
import type { GatewayReport } from "../../lib/control/protocol.ts";
import { lockFolder } from "../../lib/journal/lock.ts";
import {
  faultOfChild,
  formatChild,
  toChildStatus,
} from "../../lib/monitor/child_status.ts";
import {
  formatStatus,
  readStatus,
  type Status,
} from "../../lib/monitor/status.ts";
import type { SourceState } from "../../lib/source/source.ts";
import {
  delivered,
  makeFolder,
  openJournal,
  START_US,
  Writer,
} from "../journal/world.ts";

const LATER_US = START_US + 3600e6;

/** A gateway that does not answer. */
function silent(now: number) {
  return { now, ask: () => Promise.reject(new Error("Nobody listens")) };
}

Deno.test("Status of a folder without a journal says that no packet has ever come", async () => {
  await using folder = await makeFolder();
  const status = await readStatus(folder.path, silent(LATER_US));
  assert.equal(
    status.summary,
    "No gateway runs, and no packet has ever come",
  );
  assert.match(formatStatus(status), /^No gateway runs/);
});

Deno.test("Status says what waits, for whom and since when, while a gateway runs", async () => {
  await using folder = await makeFolder();
  using _lock = await lockFolder(folder.path);
  await using journal = await openJournal(folder.path);
  const writer = new Writer(journal);
  await writer.append({ a: 1, b: 2 }, { a: 3 }, { a: 4 });
  const mqtt = journal.cursor("mqtt");
  mqtt.settle(await mqtt.next(100), delivered(3));
  const influxdb = journal.cursor("influxdb");
  const rows = await influxdb.next(2);
  const [row] = rows;
  assert.ok(row?.readings[0]);
  influxdb.settle(rows, {
    done: 1,
    rejected: [{ row, reading: row.readings[0], reason: "no" }],
    parked: [],
  });
  await journal.flush();

  const status = await readStatus(folder.path, silent(LATER_US));
  assert.equal(status.gateway, Deno.pid);
  assert.equal(status.silence, "Nobody listens");
  assert.equal(
    status.summary,
    "The gateway does not answer; 2 readings wait for influxdb, the oldest for 60 min. " +
      `A gateway runs (process ${Deno.pid}), the newest packet is 60 min old`,
  );
  assert.deepEqual(status.newest_packet, {
    seq: 3,
    time: "2023-11-14T22:13:23.000Z",
    age_s: 3597,
  });
  assert.deepEqual(status.boards, [
    {
      name: "",
      lines: 3,
      packets: 3,
      rejects: 0,
      other: 0,
      truncated: 0,
      configured: true,
      child: null,
      flash: null,
      clock: { reboots: 0, wraps: 0, repeats: 0, jumps: 0 },
    },
  ]);
  assert.deepEqual(status.clock, {
    quality: "known",
    known_by: null,
    corrected_s: 0,
  });
  assert.deepEqual(status.sinks[1], {
    name: "influxdb",
    target: "server/bucket",
    link: null,
    received: 4,
    requeued: 0,
    delivered: 1,
    waiting: 2,
    dropped: { rejected: 1 },
    balanced: true,
    cursor: { seq: 1, age_s: 3598 },
  });
  assert.deepEqual(formatStatus(status).split("\n").slice(1), [
    "",
    "Newest packet  3, 2023-11-14T22:13:23.000Z (60 min ago)",
    "Clock          known",
    "Lines          3 = 3 packets + 0 rejects + 0 other",
    `Journal        ${folder.path}/journal.db, 0.0 MB used`,
    "",
    "mqtt → broker/iiot, delivered up to packet 3",
    "  received  4",
    "  delivered 4",
    "  waiting   0",
    "  dropped   0",
    "",
    "influxdb → server/bucket, delivered up to packet 1",
    "  received  4",
    "  delivered 1",
    "  waiting   2  the oldest for 60 min",
    "  dropped   1  rejected 1",
  ]);
});

Deno.test("Status says what a board's clock did over all runs, and what is known about ours", async () => {
  await using folder = await makeFolder();
  const none = { lines: 0, packets: 0, rejects: 0, other: 0, truncated: 0 };
  for (let run = 0; run < 2; run++) {
    await using journal = await openJournal(folder.path);
    const did = { reboots: 1, wraps: 0, repeats: 0, jumps: run };
    journal.board("", none, did);
    journal.epochs.open({ offsetUs: START_US, monoUs: 0, quality: "unknown" });
    journal.epochs.know(START_US + 3_600e6, "chrony");
  }
  const status = await readStatus(folder.path, silent(LATER_US));
  assert.deepEqual(status.boards[0]?.clock, {
    reboots: 2,
    wraps: 0,
    repeats: 0,
    jumps: 1,
  });
  const text = formatStatus(status);
  assert.match(text, /; the board's clock: 2 reboots, 1 jumps$/m);
  assert.match(
    text,
    /^Clock +known by chrony, packets of before corrected by 60 min$/m,
  );
});

Deno.test("Status says of a board that is not in the configuration any more that it is not", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  for (const board of ["hall", "yard"]) {
    await new Writer(journal, board).append({ a: 1 });
  }
  const { boards } = await readStatus(folder.path, {
    ...silent(LATER_US),
    boards: ["yard"],
  });
  const configured = (boards: Status["boards"]) =>
    boards.map(({ name, configured }) => [name, configured]);
  assert.deepEqual(configured(boards), [["hall", false], ["yard", true]]);

  // The gateway that runs knows better than a file that was changed meanwhile.
  const status = await readStatus(folder.path, {
    now: LATER_US,
    boards: ["yard"],
    ask: async () => ({
      process: 7,
      journal: await journal.report(),
      links: {},
      children: { hall: { phase: "running", restarts: 0 } },
    }),
  });
  assert.deepEqual(configured(status.boards), [["hall", true], [
    "yard",
    false,
  ]]);
  const text = formatStatus(status);
  assert.match(text, /^Lines of hall +1 = 1 packet .* 0 other$/m);
  assert.match(
    text,
    /^Lines of yard +1 = 1 packet .* 0 other; it is not in the configuration any more$/m,
  );
});

Deno.test("Status of a stopped gateway that has delivered all says so", async () => {
  await using folder = await makeFolder();
  {
    await using journal = await openJournal(folder.path);
    await new Writer(journal).append({ a: 1 });
    for (const name of ["mqtt", "influxdb"]) {
      const cursor = journal.cursor(name);
      cursor.settle(await cursor.next(1), delivered(1));
    }
  }
  const status = await readStatus(folder.path, silent(START_US + 3e6));
  assert.equal(
    status.summary,
    "No gateway runs, the newest packet is 2 s old, everything is delivered",
  );
});

Deno.test("Status that the running gateway gives has what the disk has not yet, and says first what is wrong", async () => {
  await using folder = await makeFolder();
  using _lock = await lockFolder(folder.path);
  await using journal = await openJournal(folder.path);
  new Writer(journal).enqueue({ a: 1 });
  const down = { session: null, last_error: { message: "401", age_s: 5 } };
  const status = await readStatus(folder.path, {
    now: START_US + 3e6,
    ask: async () => ({
      process: Deno.pid,
      journal: await journal.report(),
      links: {
        mqtt: {
          kind: "connected",
          for_s: 60,
          session: "MQTT at broker",
          hint: null,
          last_error: { message: "gone", age_s: 61 },
        },
        influxdb: { ...down, kind: "blocked", for_s: 7200, hint: "Set it" },
      },
    }),
  });
  assert.equal(status.silence, null);
  assert.equal(status.newest_packet?.seq, 1);
  assert.equal(status.sinks[1]?.waiting, 1);
  assert.equal(status.sinks[1]?.link?.kind, "blocked");
  assert.equal(
    status.summary,
    "The link to influxdb has been blocked for 2 h: 401. To do: Set it. " +
      `A gateway runs (process ${Deno.pid}), the newest packet is 2 s old`,
  );
  const text = formatStatus(status);
  assert.match(
    text,
    /\n {2}The link has been connected for 60 s: MQTT at broker\n/,
  );
  assert.match(text, /\n {2}Last failure 61 s ago: gone\n/);
  assert.match(text, /\n {2}The link has been blocked for 2 h: 401/);
});

Deno.test("Status says what is known of a board's flash: by the gateway, else by what is remembered", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await new Writer(journal).append({ a: 1 });
  await journal.flush();
  const remembered = { firmware: null, cyclesAtMost: 1, likelyNone: 0 };
  const firmware = "3fc4ccfe7458".padEnd(64, "0");
  const told = { firmware, cyclesAtMost: 15, likelyNone: 12 };
  const read = (ask: () => Promise<GatewayReport>) =>
    readStatus(folder.path, {
      now: LATER_US,
      ask,
      flash: () => Promise.resolve({ "": remembered }),
    });
  const answered = await read(async () => ({
    process: Deno.pid,
    journal: await journal.report(),
    links: {},
    children: { "": { phase: "running", restarts: 0, flash: told } },
  }));
  assert.deepEqual(answered.boards[0]?.flash, {
    firmware,
    cycles_at_most: 15,
    of_these_likely_none: 12,
  });
  assert.match(
    formatStatus(answered),
    /^Flash +firmware 3fc4ccfe7458, at most 15 flash cycles, of which 12 most likely wrote nothing$/m,
  );
  const silence = await read(() => Promise.reject(new Error("Nobody")));
  assert.match(
    formatStatus(silence),
    /^Flash +the firmware on it is not known, at most 1 flash cycle$/m,
  );
});

Deno.test("Status says why the board's program does not run, and what to do", async () => {
  await using folder = await makeFolder();
  await using journal = await openJournal(folder.path);
  await new Writer(journal).append({ a: 1 });
  const failure = {
    kind: "probe missing",
    error: "Error: No connected probes were found",
    todo: "plug it in",
    pace: "fast",
  } as const;
  const look = async (child: SourceState | undefined) => {
    const report = await journal.report();
    const board = report.boards[0]?.name ?? "";
    return await readStatus(folder.path, {
      now: START_US + 3e6,
      ask: () =>
        Promise.resolve({
          process: 7,
          journal: report,
          links: {},
          ...(child === undefined ? {} : { children: { [board]: child } }),
        }),
    });
  };
  const waiting = await look({ phase: "waiting", restarts: 2, failure });
  assert.deepEqual(waiting.boards[0]?.child, {
    phase: "waiting",
    process: null,
    programming: false,
    next_start_in_s: null,
    restarts: 2,
    silence: null,
    silent_nodes: [],
    missed_values: [],
    last_panic: null,
    failure: {
      kind: "probe missing",
      error: "Error: No connected probes were found",
      todo: "plug it in",
    },
  });
  assert.match(
    waiting.summary,
    /^The program of the board.* failed \(probe missing\)\. To do: plug it in/,
  );
  assert.match(
    formatStatus(waiting),
    /^Program.* +waits for its next start, 2 restarts; last failure: probe missing: Error: No connected probes were found\. To do: plug it in$/m,
  );

  const running = await look({ phase: "running", pid: 8, restarts: 3 });
  assert.doesNotMatch(running.summary, /program/);
  assert.match(
    formatStatus(running),
    /^Program.* +runs as process 8, 3 restarts$/m,
  );
  const untold = await look(undefined);
  assert.equal(untold.boards[0]?.child, null);
  assert.doesNotMatch(formatStatus(untold), /^Program/m);
});

const CHILD: SourceState = { phase: "running", pid: 8, restarts: 3 };
const TODO = "look at it";
const SILENCE = {
  kind: "no output",
  forMs: 200_000,
  restarts: 0,
  todo: TODO,
} as const;
const FAILURE = { kind: "probe busy", todo: TODO, pace: "fast" } as const;

const CHILDREN: [
  state: SourceState,
  fault: string | undefined,
  line: string,
][] = [
  [CHILD, undefined, "runs as process 8, 3 restarts"],
  [
    { ...CHILD, isProgramming: true },
    "the board is being programmed",
    "programs the flash as process 8, 3 restarts",
  ],
  [
    { ...CHILD, silence: SILENCE },
    "the board has been silent for 3 min. To do: look at it",
    "runs as process 8, 3 restarts; no output for 3 min. To do: look at it",
  ],
  [
    { ...CHILD, silence: { ...SILENCE, kind: "no telemetry", restarts: 2 } },
    "the board has been silent for 3 min. To do: look at it",
    "runs as process 8, 3 restarts; no telemetry for 3 min, 2 restarts for it. To do: look at it",
  ],
  [
    { ...CHILD, silentNodes: [{ node: "node1", forMs: 200_000 }] },
    "node1 of the board has been silent for 3 min",
    "runs as process 8, 3 restarts; nothing from node1 for 3 min",
  ],
  [
    {
      ...CHILD,
      silence: {
        ...SILENCE,
        kind: "no telemetry",
        lines: 34,
        sample: "temp=21",
      },
    },
    "the board has been silent for 3 min. To do: look at it",
    'runs as process 8, 3 restarts; no telemetry for 3 min, 34 lines such as "temp=21". To do: look at it',
  ],
  [
    {
      ...CHILD,
      missedValues: [
        { topic: "iiot/node1/temperature", forMs: 200_000, everyMs: 10_000 },
      ],
    },
    "the board sends no iiot/node1/temperature for 3 min, expected every 10 s",
    "runs as process 8, 3 restarts; no iiot/node1/temperature for 3 min, expected every 10 s",
  ],
  [
    { phase: "released", restarts: 3, nextStartInMs: 600_000 },
    "the probe of the board is released for another 10 min",
    "has given the probe away, and is started again in 10 min, 3 restarts",
  ],
  [
    { phase: "waiting", restarts: 3, nextStartInMs: 7400, failure: FAILURE },
    "the program of the board failed (probe busy). To do: look at it",
    "waits for its next start in 7 s, 3 restarts; last failure: probe busy. To do: look at it",
  ],
  [
    {
      ...CHILD,
      lastPanic: {
        message: "no radio",
        location: "src/main.rs:1:2",
        agoMs: 60_000,
      },
    },
    undefined,
    "runs as process 8, 3 restarts; the firmware panicked 60 s ago at src/main.rs:1:2: no radio",
  ],
];
for (const [state, fault, line] of CHILDREN) {
  Deno.test(`Status says of a board's program that it ${line}`, () => {
    const child = toChildStatus(state);
    assert.ok(child);
    assert.equal(formatChild(child), line);
    assert.deepEqual(faultOfChild("", child), fault ? [fault] : []);
  });
}

Deno.test("Status says first that the journal is only in memory, since when and why", async () => {
  await using folder = await makeFolder();
  const broken = brokenDisk();
  await using journal = await openJournal(folder.path, {
    disk: spareDisk(broken.disk),
  });
  broken.fault = "dead";
  await new Writer(journal).append({ a: 1 });
  const status = await readStatus(folder.path, {
    now: START_US + 3e6,
    ask: async () => {
      // What memory holds can be asked for although the disk cannot be read.
      return { process: 7, journal: await journal.report(), links: {} };
    },
  });
  assert.deepEqual(status.journal.memory, {
    since: new Date(START_US / 1000).toISOString(),
    reason: "disk I/O error",
    limit_bytes: 16 * 1024 * 1024,
  });
  assert.match(
    status.summary,
    /^The disk fails, and packets are only in memory\. A gateway runs/,
  );
  assert.match(formatStatus(status), /MB in MEMORY since .*disk I\/O error/);
  broken.fault = "none";
});

Deno.test("Status of a journal whose tables are just being made says that no packet has ever come", async () => {
  await using folder = await makeFolder();
  await Deno.writeTextFile(join(folder.path, "journal.db"), "");
  const status = await readStatus(folder.path, silent(LATER_US));
  assert.equal(status.summary, "No gateway runs, and no packet has ever come");
});
