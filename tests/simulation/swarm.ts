/**
 * What a seed's world is like: sizes, settings and which faults there are.
 *
 * Each seed enables a random part of the faults: a world in which everything fails at once hides what
 * two faults do to each other (Groce et al., "Swarm Testing", ISSTA 2012).
 *
 * A new setting of the core becomes a key here and is handed on by `sink_setup.ts` or
 * `simulated_gateway.ts`; a new fault becomes a key here and happens in the part of the world that has it,
 * or from time to time in `World.#begin`; what may be true with it and not without is an option of `Truth`.
 * Draw new keys last: then the seeds go on meaning what they meant.
 *
 * @module
 */

import type { MqttConfig } from "../../lib/config/schema.ts";
import type { Random } from "./random.ts";

/** Probabilities are those of each occasion; 0 where the seed does without. */
export interface Swarm {
  /** Packets that the boards send. */
  readonly packets: number;
  /** Mean of the time between two bursts of a board, and the most packets of one. */
  readonly burstEveryMs: number;
  readonly burst: number;
  readonly boards: readonly string[];
  /** Whether packets also carry a reading that the catalogue does not have, or none at all. */
  readonly strangePackets: boolean;

  readonly journal: {
    readonly maxBytes: number;
    readonly historyS: number;
    readonly recentReadings: number;
    readonly pendingBytes: number;
    /** The most rows that the disk gives when asked for the oldest: retention then works in small bites. */
    readonly oldestRows: number;
  };
  readonly mqtt: {
    readonly version: 4 | 5;
    readonly qos: 0 | 1 | 2;
    readonly retain: boolean;
    readonly maxInflight: number;
    readonly receiveMaximum: number;
    readonly liveWithinS: number;
    readonly messagesPerS: number | undefined;
    readonly startAt: "now" | "oldest";
  };
  readonly influxdb: {
    readonly maxLines: number;
    readonly startAt: "now" | "oldest";
  };

  readonly disk: {
    /** A commit fails and has changed nothing, or has been written all the same. */
    readonly commitFails: number;
    readonly commitLies: number;
    readonly readFails: number;
    readonly openFails: number;
    /** Mean time between the beginnings of stretches in which nothing can be written. */
    readonly fullEveryMs: number;
    readonly commitMs: number;
    readonly readMs: number;
    /** A commit takes two seconds. */
    readonly stalls: number;
  };
  readonly broker: {
    readonly downEveryMs: number;
    /** A broker that comes back has forgotten its retained messages. */
    readonly forgets: number;
    readonly refusesConnect: number;
    readonly silentConnect: number;
    readonly closesConnect: number;
    /** Per message: the link is cut, hangs, or this acknowledgement never comes. */
    readonly cuts: number;
    readonly hangs: number;
    readonly swallows: number;
    /** Per message: it cannot be taken now. */
    readonly busy: number;
    /** One value of so many is refused for good; 0: none. */
    readonly poisonEvery: number;
    readonly forbidsEveryMs: number;
    readonly rivalEveryMs: number;
    readonly answerMs: number;
  };
  readonly database: {
    readonly downEveryMs: number;
    /** Per request. */
    readonly hangs: number;
    readonly losesAnswer: number;
    readonly refuses: number;
    readonly captive: number;
    /** One line of so many does not parse, or has the wrong type; 0: none. */
    readonly badLineEvery: number;
    readonly wrongTypeEvery: number;
    readonly mostLines: number;
    /** Mean time between the beginnings of stretches in which it blames every line. */
    readonly madEveryMs: number;
    readonly answerMs: number;
  };
  readonly gateway: {
    /** Mean number of steps between crashes; 0: none. */
    readonly crashEverySteps: number;
    /** How many of the crashes are power cuts. */
    readonly powerCuts: number;
    readonly stopEveryMs: number;
    /** A restart finds another configuration. */
    readonly changesSinks: number;
  };
  readonly clock: {
    /** `clock.trust` and `clock.hold_s` */
    readonly trust: boolean;
    readonly holdS: number;
    /** How often the system says, asked, that its clock is synchronised. */
    readonly synchronised: number;
  };
  /** Mean time between steps of the wall clock, in milliseconds; 0: none. */
  readonly clockStepsEveryMs: number;
  /** `mqtt.replay` at first, and how likely a restart finds another one. */
  readonly replay: {
    readonly first: MqttConfig["replay"];
    readonly changes: number;
  };
  /** Mean time between rewinds of a sink, in milliseconds; 0: none. */
  readonly rewindEveryMs: number;
}

/** Whether nothing happens for which anything would go out a second time. */
export function isFaultless(swarm: Swarm): boolean {
  const { broker, database, gateway, disk, journal, rewindEveryMs } = swarm;
  const { answerMs: _, forgets: __, ...brokerFaults } = broker;
  const { answerMs: ___, mostLines, ...databaseFaults } = database;
  // Not one object: both have `downEveryMs` and `hangs`.
  const faults = [brokerFaults, databaseFaults].flatMap(Object.values);
  // A read that fails ends a session; a row of which it has told a part may then be given up.
  const mayGiveUpPart = disk.readFails > 0 && journal.maxBytes < 1e9;
  return !mayGiveUpPart && mostLines === Infinity && rewindEveryMs === 0 &&
    gateway.crashEverySteps === 0 &&
    gateway.stopEveryMs === 0 && gateway.changesSinks === 0 &&
    faults.every((fault) => fault === 0);
}

/** Draws a world. */
export function drawSwarm(random: Random): Swarm {
  // In some worlds nothing fails, in others much does.
  const share = random.pick([0, 0.15, 0.3, 0.5, 0.8]);
  const maybe = (probability: number) =>
    random.chance(share) ? probability * random.next() : 0;
  const sometimes = (everyMs: number) =>
    random.chance(share) ? everyMs * (0.5 + random.next()) : 0;
  const oneOf = <T>(...list: T[]) => random.pick(list);
  return {
    packets: random.between(3, 50),
    burstEveryMs: oneOf(20, 300, 1500),
    burst: oneOf(1, 3, 10),
    boards: oneOf([""], [""], ["east", "west"]),
    strangePackets: random.chance(0.2),
    journal: {
      maxBytes: random.chance(share) ? random.between(2500, 6000) : 1e9,
      historyS: oneOf(2, 20, 86_400),
      recentReadings: oneOf(1, 10, 50_000),
      pendingBytes: random.chance(share * 0.5) ? 1500 : 1e9,
      oldestRows: oneOf(2, 10, 3000),
    },
    mqtt: {
      version: oneOf(4, 5, 5),
      qos: oneOf(0, 1, 1, 1, 2),
      retain: random.chance(0.9),
      maxInflight: oneOf(1, 2, 7, 1000),
      receiveMaximum: oneOf(1, 5, 65_535),
      liveWithinS: oneOf(1, 60),
      messagesPerS: random.chance(0.1) ? 50 : undefined,
      startAt: oneOf("now", "oldest"),
    },
    influxdb: {
      maxLines: oneOf(1, 4, 5000),
      startAt: oneOf("now", "oldest", "oldest"),
    },
    disk: {
      commitFails: maybe(0.3),
      commitLies: maybe(0.2),
      readFails: maybe(0.3),
      openFails: maybe(0.3),
      fullEveryMs: sometimes(12_000),
      commitMs: oneOf(0.1, 5, 80),
      readMs: oneOf(0.3, 5, 40),
      stalls: maybe(0.1),
    },
    broker: {
      downEveryMs: sometimes(15_000),
      forgets: random.chance(0.5) ? 1 : 0,
      refusesConnect: maybe(0.5),
      silentConnect: maybe(0.3),
      closesConnect: maybe(0.3),
      cuts: maybe(0.1),
      hangs: maybe(0.05),
      swallows: maybe(0.1),
      busy: maybe(0.2),
      poisonEvery: random.chance(share / 2) ? random.between(3, 20) : 0,
      forbidsEveryMs: sometimes(10_000),
      rivalEveryMs: sometimes(10_000),
      answerMs: oneOf(0.2, 10, 150),
    },
    database: {
      downEveryMs: sometimes(15_000),
      hangs: maybe(0.2),
      losesAnswer: maybe(0.3),
      refuses: maybe(0.4),
      captive: maybe(0.2),
      badLineEvery: random.chance(share / 2) ? random.between(3, 20) : 0,
      wrongTypeEvery: random.chance(share / 2) ? random.between(3, 20) : 0,
      mostLines: random.chance(share) ? random.between(1, 20) : Infinity,
      madEveryMs: sometimes(15_000),
      answerMs: oneOf(0.3, 10, 200),
    },
    gateway: {
      crashEverySteps: random.chance(share) ? oneOf(60, 200, 600) : 0,
      powerCuts: random.next(),
      stopEveryMs: sometimes(6_000),
      changesSinks: random.chance(share) ? 0.4 : 0,
    },
    clockStepsEveryMs: sometimes(10_000),
    clock: {
      trust: random.chance(0.5),
      holdS: oneOf(0, 3, 30),
      synchronised: oneOf(0, 0.3, 1),
    },
    replay: {
      first: oneOf("all", "live_first", "live_first", "latest"),
      changes: oneOf(0, 0, 0.5),
    },
    rewindEveryMs: sometimes(6_000),
  };
}
