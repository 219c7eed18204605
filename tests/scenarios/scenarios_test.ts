import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  DEFAULT_PROBE,
  DEFAULT_SCENARIO,
  EVENT_WORDS,
  type EventWord,
} from "../../lib/simulator/probe_rs/scenario.ts";
import type { FailureKind } from "../../lib/source/failure.ts";
import type { SourceState } from "../../lib/source/source.ts";
import { PROGRAMS, runToEnd } from "../cli/program.ts";
import { eventually } from "../e2e/gateway_process.ts";
import {
  freePort,
  type HeardMessage,
  subscribe,
  type Subscription,
} from "../servers.ts";
import { type BoardEvidence, type Evidence, packetsIn } from "./evidence.ts";
import type { Act, Plan } from "./plan.ts";
import { check } from "./rules.ts";
import { runPlan } from "./world.ts";

const SCENARIOS = fileURLToPath(new URL("scenarios.ts", import.meta.url));
const [source] = PROGRAMS;
assert.ok(source);

/** A board's life with one thing that goes wrong. */
interface Story {
  readonly events?: readonly (readonly [at_s: number, word: EventWord])[];
  readonly acts?: readonly (readonly [at_s: number, word: Act["do"]])[];
  /** Topics `board/state` says these, in this order, whatever stands between. */
  readonly words: readonly string[];
  /** So the failures are called on the way. */
  readonly kinds?: readonly FailureKind[];
  /** What must have been said at least once. */
  readonly said?: (state: SourceState) => boolean;
  /** What is left of it. */
  readonly left?: (board: BoardEvidence) => boolean;
  /** It ends well: readings come after the last word. @default {true} */
  readonly recovers?: boolean;
}

/** What is well is said within that. */
const SAID_WITHIN_MS = 15_000;
const silent = (kind: string) => ({ silence }: SourceState) =>
  silence?.kind === kind;

/** One board each, all of which shall read by `T`. */
function stories(T: number): Readonly<Record<string, Story>> {
  return {
    unplugged: {
      events: [[T, "unplug"], [T + 6, "plug"]],
      words: ["running", "failed", "running", "stopped"],
      kinds: ["target lost", "probe missing"],
    },
    without_power: {
      events: [[T, "power_off"], [T + 5, "power_on"]],
      words: ["running", "failed", "running", "stopped"],
      kinds: ["target lost"],
    },
    busy: {
      events: [[0, "busy"], [T, "free"]],
      words: ["failed", "running", "stopped"],
      kinds: ["probe busy"],
    },
    forbidden: {
      events: [[0, "no_permission"], [T / 2, "permission"]],
      words: ["failed", "running", "stopped"],
      kinds: ["no permission"],
    },
    write_protected: {
      events: [[0, "blank"], [0, "erase_fails"], [T / 2, "erase_works"]],
      words: ["failed", "running", "stopped"],
      kinds: ["flashing failed"],
    },
    mute: {
      events: [[T, "silence"], [T + 9, "speak"]],
      words: ["running", "silent", "running", "stopped"],
      said: silent("no output"),
    },
    wordy: {
      events: [[T, "no_telemetry"], [T + 9, "telemetry"]],
      words: ["running", "silent", "running", "stopped"],
      said: silent("no telemetry"),
    },
    without_rtt: {
      events: [[T, "no_rtt"], [T + 9, "rtt"]],
      words: ["running", "silent", "running", "stopped"],
      said: silent("no output"),
    },
    hanging: {
      events: [[T, "stall"], [T + 9, "go_on"]],
      words: ["running", "silent", "running", "stopped"],
      said: silent("no output"),
    },
    panicked: {
      events: [[T, "panic"], [T + 9, "reset"]],
      words: ["running", "silent", "running", "stopped"],
      said: ({ lastPanic, silence }) =>
        silence !== undefined &&
        /unwrap\(\)` on an `Err`/.test(lastPanic?.message ?? "") &&
        silence.todo.startsWith("reset the board"),
    },
    swapped: {
      events: [[T, "blank"]],
      words: ["running", "silent", "stopped"],
      kinds: ["target lost"],
      recovers: false,
    },
    reset: {
      events: [[T, "reset"]],
      words: ["running", "stopped"],
      // The board's own time begins anew.
      left: ({ journalled }) => {
        const times = journalled.map((key) => parseInt(key));
        return times.some((ts, i) => ts < (times[i - 1] ?? 0));
      },
    },
    without_radio: {
      events: [[T, "radio_off"], [T + 3, "radio_on"]],
      words: ["running", "stopped"],
      left: ({ journalled }) =>
        journalled.some((key) => !key.includes("n1.t=")) &&
        journalled.at(-1)!.includes("n1.t="),
    },
    noisy: {
      events: [
        [T, "truncated_json"],
        [T + 1, "replacement_character"],
        [T + 2, "hex"],
      ],
      words: ["running", "stopped"],
      left: ({ counts }) => counts.rejects === 1 && counts.truncated === 1,
    },
    lent: {
      acts: [[T, "release"], [T + 5, "take"]],
      words: ["running", "released", "running", "stopped"],
    },
  };
}

Deno.test("Every scenario end to end: a board each fails in its own way, is told by its own name, and comes back", async (t) => {
  let begin_s = 12;
  let played = await play(stories(begin_s));
  // Where a busy machine has not started all of them by then, there was nothing to see.
  while (!haveBegun(stories(begin_s), played)) {
    begin_s *= 2;
    played = await play(stories(begin_s));
  }
  const { evidence } = played;
  await t.step("no rule is broken", () => {
    assert.deepEqual(check(evidence), []);
  });
  for (const [name, story] of Object.entries(stories(begin_s))) {
    await t.step(`a board that is ${name.replaceAll("_", " ")}`, () => {
      expectStory(name, story, played);
    });
  }
});

Deno.test("Every event of the stand-in stands in a scenario", () => {
  const told = Object.values(stories(12)).flatMap(({ events = [] }) =>
    events.map(([, word]) => word)
  );
  assert.deepEqual(EVENT_WORDS.filter((word) => !told.includes(word)), []);
});

Deno.test("Random scenarios break no rule", async () => {
  const seeds = ["--seeds", "10", "--from", "1", "--jobs", "3"];
  const command = [Deno.execPath(), "run", "-A", "-q", SCENARIOS, ...seeds];
  const { code, stdout, stderr } = await runToEnd(command);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /^All is well: seeds 1 to 10, /m);
});

/** One gateway with all the boards. */
interface Played {
  readonly evidence: Evidence;
  /** What was heard of it, and since when: milliseconds of the wall clock. */
  readonly messages: readonly HeardMessage[];
  readonly sinceMs: number;
}

async function play(
  stories: Readonly<Record<string, Story>>,
): Promise<Played> {
  const port = freePort();
  let sinceMs = Infinity;
  const hearing = hear(port).then((heard) => {
    sinceMs = Date.now();
    return heard;
  });
  const evidence = await runPlan(planOf(stories), {
    program: source!,
    say: () => {},
    brokerPort: port,
    // Each topic says its newest text once a second; what is missing is told below.
    whenWell: async () => {
      const { messages } = await hearing;
      const isSaid = () =>
        Object.entries(stories).every(([name, { words }]) =>
          messages.findLast(({ topic }) => topic === `iiot/${name}/board/state`)
            ?.payload === words.at(-2)
        );
      await eventually("all is said", isSaid, SAID_WITHIN_MS).catch(() => {});
    },
  });
  await using heard = await hearing;
  return { evidence, messages: heard.messages, sinceMs };
}

/** Whether each board had been read, and somebody heard it, before anything happened to it. */
function haveBegun(
  stories: Readonly<Record<string, Story>>,
  { evidence: { calls, beganMs }, sinceMs }: Played,
): boolean {
  const since_s = (sinceMs - beganMs) / 1000;
  return Object.values(stories).every(({ events = [], acts = [] }, i) => {
    const times = [...events, ...acts].map(([at_s]) => at_s);
    const first = Math.min(...times.filter((at_s) => at_s > 0)) - 1;
    return since_s < first &&
      (times.includes(0) ||
        calls.some(({ board, pieces }) =>
          board === i &&
          pieces.some(({ at_s, text }) =>
            at_s < first && packetsIn(text).length > 0
          )
        ));
  });
}

/** A bench with a board for each story, whose firmware is on it. */
function planOf(stories: Readonly<Record<string, Story>>): Plan {
  const names = Object.keys(stories);
  const probes = names.map((_, i) =>
    `${DEFAULT_PROBE.id.slice(0, -2)}${10 + i}`
  );
  const event = Object.values(stories).flatMap(({ events = [] }, i) =>
    events.map(([at_s, word]) => ({ at_s, do: word, probe: probes[i] }))
  );
  const acts = Object.values(stories).flatMap(({ acts = [] }, board) =>
    acts.map(([at_s, word]) => ({ at_s, do: word, board, pause_s: 0 }))
  );
  return {
    seed: 0,
    scenario: {
      ...DEFAULT_SCENARIO,
      interval_s: 0.5,
      flash_s: 0.5,
      record: true,
      probe: probes.map((id) => ({ ...DEFAULT_PROBE, id })),
      event,
    },
    boards: names.map((name, i) => ({
      name,
      probe: probes[i]!,
      flash: "when-changed",
      reflashOnChange: false,
    })),
    silenceTimeoutS: 3,
    acts,
    calm_s: Math.max(...event.map(({ at_s }) => at_s)) + 1,
    isSwap: false,
  };
}

/** Subscribes as soon as the gateway's broker is there. */
async function hear(port: number): Promise<Subscription> {
  await eventually("the broker is there", async () => {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch {
      return false;
    }
  });
  const options = { protocolVersion: 4, states: true } as const;
  return await subscribe(`mqtt://127.0.0.1:${port}`, "iiot/#", options);
}

function expectStory(
  name: string,
  { words, kinds = [], said, left, recovers = true }: Story,
  { evidence: { plan, boards, samples, log }, messages }: Played,
): void {
  const of = (topic: string) => `iiot/${name}/${topic}`;
  let at = -1;
  let value = -1;
  for (const word of words) {
    at = messages.findIndex(({ topic, payload }, i) =>
      i > at && topic === of("board/state") && payload === word
    );
    const texts = messages.filter(({ topic }) => topic === of("board/state"))
      .map(({ payload }) => payload);
    assert.ok(at >= 0, `"${word}" is not in ${texts.join(", ")}`);
    if (word !== "running") continue;
    value = messages.findIndex(({ topic }, i) =>
      i > at && topic === of("node1/temperature")
    );
    assert.ok(value > at, "no reading comes while it runs");
  }
  const last = messages.findLastIndex(({ topic }) =>
    topic === of("node1/temperature")
  );
  if (recovers) assert.ok(last >= value, "no reading comes at the end");
  const board = boards[plan.boards.findIndex((one) => one.name === name)]!;
  if (left) assert.ok(left(board), JSON.stringify(board));
  const own = log.split("\n").filter((line) =>
    line.endsWith(`board="${name}"`)
  );
  for (const kind of kinds) {
    const said = ` ${kind[0]?.toUpperCase()}${kind.slice(1)}: "probe-rs" ended`;
    assert.ok(
      own.some((line) => line.includes(said)),
      `it never failed of "${kind}": ${own.join("\n")}`,
    );
  }
  const states = samples.flatMap(({ report }) =>
    report?.children?.[name] ?? []
  );
  if (said) {
    const all = new Set(
      states.map(({ silence, lastPanic }) =>
        JSON.stringify([silence?.kind, silence?.todo, lastPanic?.message])
      ),
    );
    assert.ok(states.some(said), `it only said ${[...all].join("\n")}`);
  }
}
