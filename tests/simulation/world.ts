/**
 * One seed: a world with boards, a gateway, its disk, a broker and a database, in which things go wrong
 * for a while; then they stop going wrong, and everything has to find its end.
 *
 * @module
 */

import type { TelemetryPacket } from "../../lib/model.ts";
import type { Boot } from "../../lib/clock/boot.ts";
import { PATHS, readMessage } from "./place.ts";
import { Random } from "./random.ts";
import { SimulatedBroker } from "./simulated_broker.ts";
import { SimulatedDatabase } from "./simulated_database.ts";
import { SimulatedDisk } from "./simulated_disk.ts";
import { SimulatedGateway, STOP_TIMEOUT_S } from "./simulated_gateway.ts";
import { drawSwarm, isFaultless, type Swarm } from "./swarm.ts";
import {
  changeReplay,
  changeSinks,
  configOf,
  firstSinks,
  type SinkSetup,
} from "./sink_setup.ts";
import { Story } from "./story.ts";
import { Truth } from "./truth.ts";
import { type Owner, VirtualTime } from "./virtual_time.ts";

/** How long things go wrong at the most, and how long the rest may take, in milliseconds. */
const CHAOS_MS = 60_000;
const CALM_MS = 1_800_000;
/** How soon a packet is delivered where every answer takes less than a millisecond. */
const PROMPT_MS = 500;
/** More steps than this are no progress. */
const MOST_STEPS = 300_000;

/** The path of a reading that the catalogue does not have. */
const UNKNOWN_PATH = "n9.x";

/** What became of a seed. */
export interface SeedResult {
  readonly seed: number;
  /** The broken promise; undefined when all were kept. */
  readonly failure: string | undefined;
  readonly steps: number;
  /** The same for the same seed, or the world is not the only source of chance. */
  readonly hash: number;
  /** What happened, where it was asked for. */
  readonly story: readonly string[];
}

/** Runs a seed; `story` also writes down what happens. */
export async function runSeed(
  seed: number,
  options: { story: boolean },
): Promise<SeedResult> {
  return await new World(seed, options.story).run();
}

class World {
  readonly #seed: number;
  readonly #random: Random;
  readonly #swarm: Swarm;
  readonly #time = new VirtualTime();
  readonly #truth: Truth;
  readonly #disk: SimulatedDisk;
  readonly #broker: SimulatedBroker;
  readonly #database: SimulatedDatabase;
  readonly #gatewayRandom: Random;
  readonly #story: Story;
  #gateway: SimulatedGateway | undefined;
  #runs = 0;
  #failure: string | undefined;
  #steps = 0;
  #calm = false;
  #stopped = false;
  /** The first of the packets that have to get through: they show what became of those before them. */
  #lastWords = Infinity;
  /** The run that is just carrying out a rewind. */
  #rewinding: SimulatedGateway | undefined;
  /** Which sinks the configuration has, and where they lead. */
  #sinks: SinkSetup;
  #boot = this.#bootNow("boot");

  constructor(seed: number, story: boolean) {
    this.#seed = seed;
    this.#story = new Story(story, this.#time);
    this.#random = new Random(seed, 1);
    this.#gatewayRandom = new Random(seed, 2);
    const swarm = this.#swarm = drawSwarm(new Random(seed, 3));
    this.#sinks = firstSinks(swarm);
    this.#story.tell(
      "world:",
      JSON.stringify(swarm, null, 1).replaceAll(/\s+/g, " "),
    );
    this.#truth = new Truth({
      fail: (what) => this.#fail(what),
      file: () => this.#disk.file,
      isSafe: (seq) => this.#disk.isSafe(seq),
      ordered: swarm.mqtt.qos > 0,
      trusted: swarm.clock.trust,
      steady: swarm.clockStepsEveryMs === 0,
      mayRepeat: !isFaultless(swarm),
      mayMove: swarm.gateway.changesSinks > 0,
      mayEvict: swarm.journal.maxBytes < 1e9 || swarm.gateway.changesSinks > 0,
      isUnknown: (path) => path === UNKNOWN_PATH,
    });
    const common = {
      time: this.#time,
      random: this.#random,
      swarm,
      tell: this.#story.tell.bind(this.#story),
    };
    this.#disk = new SimulatedDisk({
      ...common,
      onWritten: (commit) => this.#truth.written(commit),
    });
    this.#broker = new SimulatedBroker({
      ...common,
      isPoison: (message) =>
        this.#isNth(readMessage(message).number, swarm.broker.poisonEvery),
      onConnected: () => this.#truth.connected(),
      onPublished: (message) => this.#truth.published(message),
      onRefused: (message) => this.#truth.notPublished(message),
      onCut: (message) => this.#truth.cutAt(message),
      onAnswered: (message, code) => this.#truth.messageAnswered(message, code),
    });
    this.#database = new SimulatedDatabase({
      ...common,
      faultOf: ({ value }) =>
        this.#isNth(value, swarm.database.badLineEvery)
          ? "syntax"
          : this.#isNth(value, swarm.database.wrongTypeEvery)
          ? "type"
          : undefined,
      onStored: (point) => this.#truth.stored(point),
      onAnswered: (points, outcome) =>
        this.#truth.pointsAnswered(points, outcome),
    });
  }

  async run(): Promise<SeedResult> {
    const time = this.#time;
    const fetch = globalThis.fetch;
    const onRejection = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      this.#fail(`a promise is rejected unseen: ${event.reason}`);
    };
    globalThis.addEventListener("unhandledrejection", onRejection);
    globalThis.fetch = this.#database.fetch as unknown as typeof fetch;
    using _story = this.#story.listenToLog();
    time.onEvent = (what, owner) => this.#step(what, owner);
    try {
      using _ = time.install(() => this.#gatewayRandom.next());
      this.#start();
      this.#begin();
      await this.#until(
        () => time.nowMs > CHAOS_MS || this.#allSent(),
        CHAOS_MS,
      );
      await this.#until(() => false, this.#random.around(3000));
      await this.#end();
    } catch (error) {
      this.#fail((error as Error).stack ?? String(error));
    } finally {
      globalThis.fetch = fetch;
      globalThis.removeEventListener("unhandledrejection", onRejection);
    }
    return {
      seed: this.#seed,
      failure: this.#failure,
      steps: this.#steps,
      hash: this.#story.hash,
      story: this.#story.lines,
    };
  }

  /** Lets time pass until `done` or for `ms`. */
  async #until(done: () => boolean, ms: number): Promise<void> {
    let over = false;
    const cancel = this.#time.after(
      ms,
      "world: time is up",
      () => over = true,
      this.#time.world,
    );
    await this.#time.run(() => over || this.#failure !== undefined || done());
    cancel();
  }

  // The boards.

  #allSent(): boolean {
    return this.#truth.sent >= this.#swarm.packets;
  }

  #board(name: string): void {
    const { burst, burstEveryMs } = this.#swarm;
    this.#time.after(
      this.#random.around(burstEveryMs),
      `board "${name}"`,
      () => {
        if (this.#calm || this.#allSent()) return;
        if (this.#gateway?.reads) {
          const count = this.#random.between(1, burst);
          this.#send(
            name,
            Array.from({ length: count }, () => this.#packet(name)),
          );
        }
        this.#board(name);
      },
    );
  }

  /** Printed packets are read as what runs in the gateway. */
  #send(board: string, packets: TelemetryPacket[]): void {
    const gateway = this.#gateway!;
    this.#time.after(
      0,
      "gateway: reads",
      () => gateway.read(board, packets),
      gateway.owner,
    );
  }

  #packet(board: string): TelemetryPacket {
    const random = this.#random;
    const value = this.#truth.send(board, this.#time.wallMs);
    const paths = PATHS.filter(() => random.chance(0.6));
    const strange = this.#swarm.strangePackets && random.chance(0.2);
    if (strange && random.chance(0.5)) paths.push(UNKNOWN_PATH);
    else if (strange) paths.length = 0;
    this.#story.tell("board: packet", value, paths.join(" "));
    return {
      boardTs: null,
      readings: paths.map((path) => ({ path, value })),
      dropped: strange
        ? [{ path: "n1.t", value: "NaN", reason: "not_a_number" }]
        : [],
    };
  }

  #isNth(value: number, every: number): boolean {
    return every > 0 && value % every === 0 && value < this.#lastWords;
  }

  // The gateway.

  #start(): void {
    const owner: Owner = { name: `gateway ${++this.#runs}`, alive: true };
    this.#truth.restarted(this.#sinks);
    this.#story.tell("world: starts", owner.name, JSON.stringify(this.#sinks));
    // Entered like everything else: what it begins belongs to it.
    this.#time.after(0, "gateway: starts", () => {
      const gateway = this.#gateway = new SimulatedGateway({
        owner,
        boot: this.#boot,
        ask: () => this.#askSystem(),
        swarm: this.#swarm,
        disk: this.#disk.mount(owner),
        connect: this.#broker.connect(owner),
        config: configOf(this.#sinks, this.#swarm),
        random: () => this.#gatewayRandom.next(),
      });
      void gateway.ended.then((error) => this.#ended(gateway, error));
    }, owner);
  }

  /** A run of the operating system; its clock begins again with the next one. */
  #bootNow(id: string): Boot {
    const startedMs = this.#time.nowMs;
    return { id, monotonicUs: () => (this.#time.nowMs - startedMs) * 1000 };
  }

  async #askSystem(): Promise<string | null> {
    await this.#time.wait(
      this.#random.around(20),
      "system: asked for its clock",
    );
    const { synchronised } = this.#swarm.clock;
    return this.#random.chance(synchronised) ? "timesyncd" : null;
  }

  #ended(gateway: SimulatedGateway, error: Error | undefined): void {
    this.#story.tell(
      "world: has stopped",
      gateway.owner.name,
      error?.message ?? "",
    );
    const expected = error === undefined ||
      /^Cannot (open|write) the journal/.test(error.message);
    if (!expected) this.#fail(`the gateway ended: ${error.stack}`);
    // What it could not write in the end is as undone as after a crash.
    if (error !== undefined) this.#truth.crashed();
    const left = this.#time.left(gateway.owner)
      // What the world would have answered reaches nobody.
      .filter((what) => !/^(client|fetch|disk): /.test(what));
    if (left.length > 0) {
      this.#fail(
        `the gateway has stopped, and left behind: ${left.join(", ")}`,
      );
    }
    this.#leave(gateway);
  }

  /** Kills the gateway, or the machine, whatever it is doing. */
  #crash(): void {
    const gateway = this.#gateway;
    if (gateway === undefined || this.#calm) return;
    const powerCut = this.#random.chance(this.#swarm.gateway.powerCuts);
    this.#truth.crashed();
    this.#story.tell(powerCut ? "world: POWER CUT" : "world: KILLED");
    this.#disk.crash({ powerCut });
    if (powerCut) this.#boot = this.#bootNow(`boot ${this.#runs}`);
    this.#leave(gateway);
  }

  #leave({ owner }: SimulatedGateway): void {
    owner.alive = false;
    this.#gateway = undefined;
    if (this.#stopped) return;
    if (this.#calm) {
      this.#sinks = { ...this.#sinks, mqtt: true, influxdb: true };
    } else if (this.#random.chance(this.#swarm.gateway.changesSinks)) {
      this.#sinks = changeSinks(this.#sinks, this.#random);
    }
    const { changes } = this.#swarm.replay;
    if (changes > 0 && this.#random.chance(changes)) {
      this.#sinks = changeReplay(this.#sinks, this.#random);
    }
    this.#time.after(
      this.#random.around(500),
      "world: restart",
      () => this.#start(),
      this.#time.world,
    );
  }

  // What goes wrong.

  #begin(): void {
    const swarm = this.#swarm;
    for (const board of swarm.boards) this.#board(board);
    this.#spells("database down", swarm.database.downEveryMs, (on) => {
      this.#database.up = !on;
    });
    this.#spells("database mad", swarm.database.madEveryMs, (on) => {
      this.#database.mad = on;
    });
    this.#spells("broker down", swarm.broker.downEveryMs, (on) => {
      if (on) this.#broker.shutDown();
      this.#broker.up = !on;
      if (on && swarm.broker.forgets > 0) this.#truth.forgotten();
    });
    this.#spells("disk full", swarm.disk.fullEveryMs, (on) => {
      this.#disk.full = on;
    }, swarm.disk.fullEveryMs);
    this.#spells("a topic is forbidden", swarm.broker.forbidsEveryMs, (on) => {
      this.#broker.forbidden = on
        ? this.#random.pick(["temperature", "humidity", "rssi"])
        : undefined;
    });
    this.#nowAndThen("rival", swarm.broker.rivalEveryMs, () => {
      this.#broker.rival();
    });
    this.#nowAndThen("clock step", swarm.clockStepsEveryMs, () => {
      const random = this.#random;
      const stepMs = random.pick([300, 1500, 5000, 3_600_000, 2e12]) *
        random.pick([-1, 1]) * random.next();
      this.#story.tell("world: the clock steps by ms", Math.round(stepMs));
      this.#time.wallOffsetMs = Math.max(0, this.#time.wallOffsetMs + stepMs);
    });
    this.#nowAndThen("stop", swarm.gateway.stopEveryMs, () => {
      this.#stop();
    });
    this.#nowAndThen("rewind", swarm.rewindEveryMs, () => {
      this.#rewind();
    });
  }

  /** One at a time, as the gateway carries out its commands. */
  #rewind(): void {
    const gateway = this.#gateway;
    const journal = gateway?.journal;
    if (!gateway?.reads || journal === undefined) return;
    if (this.#rewinding === gateway) return;
    this.#rewinding = gateway;
    const random = this.#random;
    const { rows } = this.#disk.file;
    const toUs = rows.length === 0 || random.chance(0.2)
      ? -Infinity
      : journal.epochs.time(random.pick(rows)).timeUs + random.between(-1, 1);
    const sink = random.pick(journal.standings()).name;
    const dryRun = random.chance(0.1);
    const signal = gateway.stopping;
    this.#time.after(0, "gateway: rewinds", () => {
      this.#story.tell("world: rewinds", sink, toUs, dryRun ? "dry" : "");
      this.#truth.rewinds.rewind(journal, { sink, toUs, dryRun, signal })
        .catch((error) => this.#story.tell("world: no rewind:", String(error)))
        .finally(() => this.#rewinding = undefined);
    }, gateway.owner);
  }

  #stop(): void {
    const gateway = this.#gateway;
    if (gateway === undefined) return;
    const askedMs = this.#time.nowMs;
    this.#time.after(0, "gateway: asked to stop", () => {
      gateway.stop();
      void gateway.ended.then(() => this.#stoppedAfter(askedMs));
    }, gateway.owner);
  }

  /** Twice the time is the disk's and the sinks' part, a stalled commit and the sessions' ends. */
  #stoppedAfter(askedMs: number): void {
    const tookMs = this.#time.nowMs - askedMs;
    if (tookMs > STOP_TIMEOUT_S * 2000) {
      this.#fail(`stopping took ${tookMs} ms`);
    }
  }

  #nowAndThen(what: string, everyMs: number, happen: () => void): void {
    if (everyMs === 0) return;
    this.#time.after(this.#random.around(everyMs), `world: ${what}`, () => {
      if (this.#calm) return;
      happen();
      this.#nowAndThen(what, everyMs, happen);
    });
  }

  #spells(
    what: string,
    everyMs: number,
    turn: (on: boolean) => void,
    meanMs = everyMs / 2,
  ): void {
    this.#nowAndThen(what, everyMs, () => {
      turn(true);
      this.#time.after(
        this.#random.around(meanMs),
        `world: ${what}: over`,
        () => {
          turn(false);
        },
      );
    });
  }

  // How it ends.

  async #end(): Promise<void> {
    if (this.#failure !== undefined) return;
    this.#story.tell("world: from here on nothing goes wrong");
    this.#calm = true;
    this.#disk.full =
      this.#disk.faulty =
      this.#broker.faulty =
      this.#database.faulty =
        false;
    this.#broker.up = this.#database.up = true;
    this.#database.mad = false;
    this.#broker.forbidden = undefined;
    if (!this.#sinks.mqtt || !this.#sinks.influxdb) {
      // A gateway that is up is given back the sinks that it lacks; one that is not finds them.
      this.#stop();
      this.#sinks = { ...this.#sinks, mqtt: true, influxdb: true };
    }
    const isUp = () =>
      this.#gateway?.reads === true &&
      this.#gateway.journal!.standings().length === 2;
    await this.#until(isUp, CALM_MS);
    if (this.#failure !== undefined) return;
    if (!isUp()) return this.#fail("the gateway does not come up again");
    await this.#until(() => false, 5000);
    // No board speaks: what is parked has to be tried all the same.
    const isParked = () =>
      this.#gateway?.journal?.standings().some((one) => one.ledger.parked > 0);
    await this.#until(() => !isParked(), 60_000);
    if (isParked()) return this.#fail("what is parked is not tried again");
    this.#lastWords = this.#truth.sent + 1;
    for (const board of this.#swarm.boards) {
      const value = this.#truth.send(board, this.#time.wallMs);
      const last = ["sig.rssi", "sts.rx"].map((path) => ({ path, value }));
      this.#send(board, [{ boardTs: null, readings: last, dropped: [] }]);
    }
    await this.#until(() => false, 1000);
    const isDone = () =>
      this.#gateway?.journal?.standings().every((one) => one.waiting === 0);
    for (let ms = 0; ms < CALM_MS && !isDone(); ms += 1000) {
      if (this.#failure !== undefined) return;
      await this.#until(() => false, 1000);
    }
    if (!isDone()) return this.#fail(this.#sayWaiting());
    await this.#promptly();
    await this.#until(() => false, 3000);
    this.#stopped = true;
    this.#stop();
    await this.#until(() => this.#gateway === undefined, 60_000);
    if (this.#failure !== undefined) return;
    if (this.#gateway !== undefined) return this.#fail("it does not stop");
    this.#truth.atTheEnd({
      retained: this.#broker.retained,
      retains: this.#swarm.mqtt.retain && this.#swarm.mqtt.qos > 0,
    });
  }

  /** Where all is well and quick, each packet leaves at once. */
  async #promptly(): Promise<void> {
    const { broker, clock, database, disk, boards, mqtt } = this.#swarm;
    // At QoS 0 a link that hangs may go unnoticed until now.
    const isSeen = mqtt.qos > 0 || broker.hangs === 0;
    const isQuick = isSeen && clock.trust && broker.answerMs < 1 &&
      database.answerMs < 1 &&
      disk.commitMs < 10 &&
      disk.readMs < 10 && mqtt.messagesPerS === undefined;
    if (!isQuick || this.#failure !== undefined) return;
    for (let i = 0; i < 20; i++) {
      await this.#until(() => false, this.#random.around(10));
      const value = this.#truth.send(boards[0]!, this.#time.wallMs);
      const readings = [{ path: "sts.rx", value }];
      this.#send(boards[0]!, [{ boardTs: null, readings, dropped: [] }]);
    }
    await this.#until(() => false, PROMPT_MS);
    const waiting = this.#gateway?.journal?.standings()
      .find((one) => one.waiting > 0);
    if (waiting !== undefined) {
      this.#fail(`${waiting.name} has not had after ${PROMPT_MS} ms what came`);
    }
  }

  #sayWaiting(): string {
    const standings = this.#gateway?.journal?.standings() ?? [];
    const words = standings.map(({ name, waiting, ledger }) =>
      `${waiting} readings for ${name}, of them ${ledger.parked} parked`
    );
    return `nothing goes wrong for ${CALM_MS / 60_000} min, and there wait ${
      words.join(", ")
    }`;
  }

  // What is looked at.

  #step(what: string, owner: Owner): void {
    const time = this.#time;
    if (++this.#steps > MOST_STEPS) this.#fail("no end in sight");
    this.#story.step(what, owner);
    const { crashEverySteps } = this.#swarm.gateway;
    if (
      crashEverySteps > 0 && !this.#calm && this.#gateway !== undefined &&
      this.#random.chance(1 / crashEverySteps)
    ) time.after(0, "world: crash", () => this.#crash(), time.world);
    const journal = this.#gateway?.journal;
    if (journal !== undefined) this.#truth.standings(journal);
  }

  #fail(what: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = what;
    this.#story.tell(`VIOLATED: ${what}`);
  }
}
