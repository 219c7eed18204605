import assert from "node:assert/strict";
import {
  DEFAULT_PROBE,
  DEFAULT_SCENARIO,
  type ScenarioEvent,
} from "../../lib/simulator/probe_rs/scenario.ts";
import type { FailureKind } from "../../lib/source/failure.ts";
import type { SourceState } from "../../lib/source/source.ts";
import {
  type BoardEvidence,
  type Call,
  type Evidence,
  packetsIn,
  type Sample,
} from "./evidence.ts";
import { makePlan, type Plan } from "./plan.ts";
import { check } from "./rules.ts";

const SHA256 = "0123456789abcdef".repeat(4);

const EVENTS: readonly ScenarioEvent[] = [
  { at_s: 5, do: "unplug" },
  { at_s: 8, do: "plug" },
];

const PLAN: Plan = {
  seed: 1,
  scenario: {
    ...DEFAULT_SCENARIO,
    programmed: false,
    record: true,
    event: EVENTS,
  },
  boards: [{
    name: "",
    probe: DEFAULT_PROBE.id,
    flash: "when-changed",
    reflashOnChange: false,
  }],
  silenceTimeoutS: 2,
  acts: [{ at_s: 15, do: "kill", board: 0, pause_s: 1 }],
  calm_s: 30,
  isSwap: false,
};

function line(ts: number): string {
  return `[INFO ] JSON sent via VCP: {"ts":${ts},"id":"N2","n1":{"t":27.6},"n2":{},"sig":{"rssi":-39},"sts":{"rx":1}}\\n (app src/main.rs:9)\n`;
}

/** A call that prints a packet every half second. */
function call(
  pid: number,
  [from_s, to_s]: readonly [number, number],
  more: Pick<Call, "session" | "command"> & { readonly why: string },
): Call {
  const { why, ...rest } = more;
  const pieces = Array.from(
    { length: Math.floor((to_s - from_s) / 0.5) },
    (_, i) => ({ at_s: from_s + 0.2 + i / 2, text: line(pid * 1000 + i) }),
  );
  return { ...rest, board: 0, pid, from_s, end: { at_s: to_s, why }, pieces };
}

const CALLS: readonly Call[] = [
  call(100, [0.5, 5.1], { session: 0, command: "run", why: "target lost" }),
  call(101, [6, 6.1], { session: 0, command: "attach", why: "probe missing" }),
  call(102, [8.5, 15.2], {
    session: 0,
    command: "attach",
    why: "stdout closed",
  }),
  call(103, [17, 30], { session: 1, command: "attach", why: "asked to stop" }),
];

const JOURNALLED = CALLS.flatMap(({ pieces }) =>
  pieces.flatMap(({ text }) => packetsIn(text))
);

function running(pid: number): SourceState {
  return { phase: "running", pid, restarts: 0 };
}

function waiting(kind: FailureKind): SourceState {
  const failure = {
    kind,
    pace: "fast",
    error: "Error",
    todo: "Mend it",
  } as const;
  return { phase: "waiting", nextStartInMs: 100, restarts: 0, failure };
}

/** What a gateway says that tells the truth. */
function stateAt(atS: number): SourceState | undefined {
  if (atS < 0.6) return { phase: "starting", restarts: 0 };
  if (atS < 5.2) return running(100);
  if (atS < 6.2) return waiting("target lost");
  if (atS < 8.6) return waiting("probe missing");
  if (atS < 15) return running(102);
  if (atS < 16) return undefined;
  return atS < 17.1 ? { phase: "starting", restarts: 0 } : running(103);
}

const SAMPLES: readonly Sample[] = Array.from({ length: 120 }, (_, i) => {
  const from_s = i / 4;
  const state = stateAt(from_s);
  const reader = CALLS.find((one) =>
    one.from_s <= from_s && (one.end?.at_s ?? 0) > from_s
  );
  return {
    from_s,
    to_s: from_s + 0.05,
    session: state === undefined ? undefined : from_s < 15 ? 0 : 1,
    boards: [{
      flash_cycles: from_s < 0.5 ? 0 : 1,
      sha256: from_s < 0.5 ? null : SHA256,
      reader: reader?.pid ?? null,
    }],
    report: state === undefined ? null : {
      children: {
        "": {
          ...state,
          flash: {
            firmware: from_s < 0.6 ? null : SHA256,
            cyclesAtMost: from_s < 0.5 ? 0 : 1,
            likelyNone: 0,
          },
        },
      },
    },
    alive: reader === undefined ? [] : [reader.pid],
  };
});

const BOARD: BoardEvidence = {
  flash_cycles: 1,
  freezes: 0,
  journalled: JOURNALLED,
  counts: {
    lines: JOURNALLED.length,
    packets: JOURNALLED.length,
    rejects: 0,
    other: 0,
    truncated: 0,
  },
  cyclesAtMost: 1,
};

/** A run in which all was well. */
const WELL: Evidence = {
  plan: PLAN,
  beganMs: 0,
  log: "",
  sessions: [
    {
      from_s: 0,
      asked_s: 15,
      to_s: 15,
      how: "killed",
      code: 137,
      hasBegun: true,
    },
    {
      from_s: 16,
      asked_s: 30,
      to_s: 30.1,
      how: "stopped",
      code: 0,
      hasBegun: true,
    },
  ],
  leftovers: [{ session: 0, pid: 102, gone_s: 15.3 }],
  calls: CALLS,
  samples: SAMPLES,
  firmware: [{ board: 0, at_s: 0, sha256: SHA256 }],
  boards: [BOARD],
  faults: [],
};

/** The same with another state from one moment to another. */
function saying(
  [fromS, toS]: readonly [number, number],
  change: (state: SourceState) => SourceState,
): Evidence {
  const samples = SAMPLES.map((sample): Sample => {
    const state = sample.report?.children?.[""];
    return state === undefined || sample.from_s < fromS || sample.from_s >= toS
      ? sample
      : { ...sample, report: { children: { "": change(state) } } };
  });
  return { ...WELL, samples };
}

function withBoard(change: Partial<BoardEvidence>): Evidence {
  return { ...WELL, boards: [{ ...BOARD, ...change }] };
}

function withCalls(change: (call: Call) => Call | Call[]): Evidence {
  return { ...WELL, calls: CALLS.flatMap(change) };
}

const LATER = (call: Call, change: Partial<Call>): Call[] =>
  call.pid === 103 ? [{ ...call, ...change }] : [call];

const RED: readonly {
  readonly name: string;
  readonly evidence: Evidence;
  readonly fault: RegExp;
}[] = [
  {
    name: "a program that lives on for ever after kill -9",
    evidence: {
      ...WELL,
      leftovers: [{ session: 0, pid: 102, gone_s: undefined }],
    },
    fault: /^Process 102 of session 0 \(killed\) is still there$/,
  },
  {
    name: "a program that outlives its gateway by seconds",
    evidence: { ...WELL, leftovers: [{ session: 0, pid: 102, gone_s: 20 }] },
    fault: /Process 102 of session 0 \(killed\) lived 5\.0 s longer/,
  },
  {
    name: "a program that outlives an end in order",
    evidence: { ...WELL, leftovers: [{ session: 1, pid: 103, gone_s: 31 }] },
    fault: /Process 103 of session 1 \(stopped\) lived 0\.9 s longer/,
  },
  {
    name: "two programs that read one board",
    evidence: withCalls((one) =>
      one.pid === 102
        ? [one, call(104, [9, 10], { session: 0, command: "attach", why: "" })]
        : one
    ),
    fault: /Processes 102 and 104 read the board/,
  },
  {
    name: "an end that was asked for, and was none in order",
    evidence: {
      ...WELL,
      sessions: WELL.sessions.map((one) => ({ ...one, code: 1 })),
    },
    fault: /Session 1 of the gateway was asked to end, and ended with 1/,
  },
  {
    name: "a packet that is not in the journal",
    evidence: withBoard({ journalled: JOURNALLED.toSpliced(12, 1) }),
    fault: /1 of 48 packets are not in the journal/,
  },
  {
    name: "a packet that was printed long before the kill, and is gone with it",
    evidence: withBoard({
      journalled: JOURNALLED.filter((key) => !key.startsWith("102008")),
    }),
    fault: /1 of 48 packets are not in the journal: 102008/,
  },
  {
    name: "a packet that stands twice in the journal",
    evidence: withBoard({
      journalled: JOURNALLED.toSpliced(5, 0, JOURNALLED[4]!),
    }),
    fault: /the journal holds 100004 .* which was not printed then/,
  },
  {
    name: "packets in another order",
    evidence: withBoard({
      journalled: JOURNALLED.with(3, JOURNALLED[4]!).with(4, JOURNALLED[3]!),
    }),
    fault: /which was not printed then/,
  },
  {
    name: "a line that nobody counted",
    evidence: withBoard({
      counts: { ...BOARD.counts, lines: 36, packets: 36 },
    }),
    fault: /36 lines were counted, and 44 to 48 were written/,
  },
  {
    name: "counts that do not add up",
    evidence: withBoard({ counts: { ...BOARD.counts, other: 1 } }),
    fault: /48 lines are not 48 \+ 0 \+ 1/,
  },
  {
    name: "a board that is programmed again though its firmware is known",
    evidence: withCalls((one) => LATER(one, { command: "run" })),
    fault: /programmed again at 17\.0 s, though that of 0\.5 s had succeeded/,
  },
  {
    name: "a board that is programmed though it never is to be",
    evidence: {
      ...WELL,
      plan: {
        ...PLAN,
        boards: PLAN.boards.map((one) => ({ ...one, flash: "never" })),
      },
    },
    fault: /programmed at 0\.5 s, and it never is to be/,
  },
  {
    name: "a flash cycle that no rule allows",
    evidence: withBoard({ flash_cycles: 2, cyclesAtMost: 2 }),
    fault: /2 flash cycles, and the rules allow 1/,
  },
  {
    name: "a flash cycle that the gateway does not know of at the end",
    evidence: withBoard({ cyclesAtMost: 0 }),
    fault: /1 flash cycles, and the gateway says at most 0/,
  },
  {
    name: "a flash cycle that the gateway does not know of meanwhile",
    evidence: saying([9, 9.3], (state) => ({
      ...state,
      flash: { firmware: null, cyclesAtMost: 0, likelyNone: 0 },
    })),
    fault: /1 flash cycles at 9\.0 s, and the gateway says at most 0/,
  },
  {
    name: "a state that sticks when the program ends",
    evidence: saying([5, 8.5], () => running(100)),
    fault: /says that it runs as process 100, which there is not/,
  },
  {
    name: "another process than the one that runs",
    evidence: saying([9, 15], () => running(99)),
    fault: /says that it runs as process 99, which there is not/,
  },
  {
    name: "a program that runs while its board is said to wait",
    evidence: saying([9, 14], () => waiting("target lost")),
    fault: /says that it is waiting .* while 102 reads the board/,
  },
  {
    name: "a released probe that is held",
    evidence: saying([9, 9.3], () => ({ phase: "released", restarts: 0 })),
    fault: /says that it is released .* while 102 reads the board/,
  },
  {
    name: "a start that never ends",
    evidence: {
      ...saying([0, 30], () => ({ phase: "starting", restarts: 0 })),
      calls: [],
    },
    fault: /says that it is starting, for ever/,
  },
  {
    name: "a program that runs on without a probe",
    evidence: {
      ...saying([0, 30], (state) => state),
      plan: {
        ...PLAN,
        scenario: { ...PLAN.scenario, event: [{ at_s: 9, do: "unplug" }] },
      },
    },
    fault: /says that it runs without a probe/,
  },
  {
    name: "a failure that was none",
    evidence: saying([6.2, 8.6], () => waiting("probe busy")),
    fault: /says that it has failed of "probe busy" \(Error\)/,
  },
  {
    name: "a failure without a name",
    evidence: saying([6.2, 8.6], () => waiting("unknown")),
    fault: /says that it has failed of "unknown"/,
  },
  {
    name: "a failure that is over, and still the reason to wait",
    evidence: {
      ...saying([16, 30], () => waiting("probe missing")),
      calls: CALLS.filter(({ pid }) => pid !== 103),
    },
    fault: /says that it has failed of "probe missing"/,
  },
  {
    name: "a failure that is told long after it was over",
    evidence: saying([17, 30], (state) => ({
      ...state,
      failure: {
        kind: "probe missing",
        pace: "slow",
        error: "Error",
        todo: "Mend it",
      },
    })),
    fault: /says that it has failed of "probe missing", long after/,
  },
  {
    name: "silence while telemetry comes",
    evidence: saying([20, 25], (state) => ({
      ...state,
      silence: { kind: "no output", forMs: 3, restarts: 0, todo: "Mend it" },
    })),
    fault: /says that it is silent, while telemetry comes/,
  },
  {
    name: "no silence where nothing comes",
    evidence: {
      ...WELL,
      calls: CALLS.map((one) => one.pid === 103 ? { ...one, pieces: [] } : one),
    },
    fault: /says that it is not silent, and nothing comes/,
  },
  {
    name: "silence of a program that does not run",
    evidence: saying([6.2, 6.5], (state) => ({
      ...state,
      silence: { kind: "no output", forMs: 3, restarts: 0, todo: "Mend it" },
    })),
    fault: /says that it is silent while it is waiting/,
  },
  {
    name: "another firmware than the flash holds",
    evidence: saying([20, 26], (state) => ({
      ...state,
      flash: { firmware: "ff".repeat(32), cyclesAtMost: 1, likelyNone: 0 },
    })),
    fault: /says that it has the firmware ffffffff, and its flash 01234567/,
  },
  {
    name: "a firmware that was frozen without need",
    evidence: withBoard({ freezes: 1 }),
    fault: /its firmware froze 1 times/,
  },
  {
    name: "what the run itself found",
    evidence: { ...WELL, faults: ["It ended by itself with 1"] },
    fault: /^It ended by itself with 1$/,
  },
];

Deno.test("A run in which all was well breaks no rule", () => {
  assert.deepEqual(check(WELL), []);
});

for (const { name, evidence, fault } of RED) {
  Deno.test(`The rules find ${name}`, () => {
    const faults = check(evidence);
    assert.ok(faults.some((one) => fault.test(one)), faults.join("\n"));
  });
}

Deno.test("The rules forgive what a kill can cost, and what a program that hangs makes of an end", () => {
  const last = JOURNALLED.filter((key) => !/^1020(?:11|12)/.test(key));
  assert.deepEqual(
    check(withBoard({
      journalled: last,
      counts: { ...BOARD.counts, lines: 46, packets: 46 },
    })),
    [],
  );
  const again = CALLS[2]!.pieces.at(-1)!.text;
  const calls = CALLS.map((one) =>
    one.pid === 103
      ? { ...one, pieces: [{ at_s: 17.1, text: again }, ...one.pieces] }
      : one
  );
  const counts = { ...BOARD.counts, lines: 49, other: 1 };
  assert.deepEqual(check({ ...withBoard({ counts }), calls }), []);
  const event: ScenarioEvent[] = [
    ...EVENTS,
    { at_s: 14, do: "stall" },
    { at_s: 21, do: "go_on" },
  ];
  const leftovers = [{ session: 0, pid: 102, gone_s: 21.5 }];
  const plan = { ...PLAN, scenario: { ...PLAN.scenario, event } };
  assert.deepEqual(check({ ...WELL, plan, leftovers }), []);
});

Deno.test("The same seed makes the same plan, and another one another", () => {
  assert.deepEqual(makePlan(7), makePlan(7));
  assert.notDeepEqual(makePlan(7), makePlan(8));
});
