/**
 * An MQTT broker, and the client library in front of it, with faults at every message.
 *
 * The client does what MQTT.js 5.16 does where the sink can see it: `close` ends every connection and
 * comes after `error`; `end(true)` fails what is unacknowledged first; a refused PUBACK has its reason
 * code as `code`; QoS 0 settles while it is being published; two pings without an answer are a timeout.
 *
 * @module
 */

import type { IClientOptions, IClientPublishOptions, MqttClient } from "mqtt";
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { generate, type Packet, type Parser, parser } from "mqtt-packet";
import type { MqttAcks } from "../../lib/sink/mqtt_acks.ts";
import type { ConnectClient } from "../../lib/sink/mqtt_connection.ts";
import type { Random } from "./random.ts";
import type { Swarm } from "./swarm.ts";
import type { Owner, VirtualTime } from "./virtual_time.ts";

/** A message as the broker takes it. */
export interface Published {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  /** The user property `time`, where there is one. */
  readonly time: string | undefined;
}

/** What the broker needs of its world. */
export interface SimulatedBrokerOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly swarm: Swarm;
  tell(what: string, ...details: (string | number)[]): void;
  /** Whether this message is one that the broker never takes. */
  isPoison(message: Published): boolean;
  /** A client has the session from here on. */
  onConnected(): void;
  /** The broker has it, or does not take it; the client may never hear of that. */
  onPublished(message: Published): void;
  onRefused(message: Published): void;
  /** The link was cut at this message. */
  onCut(message: Published): void;
  /** The client has been told that the broker has it, or that it does not take it. */
  onAnswered(message: Published, code: number): void;
}

/** A reason code: the broker cannot take the message now, for now, or ever. */
const BUSY = [0x97, 0x80, 0x83];
const FORBIDDEN = 0x87;
const POISON = [0x90, 0x99];
const TAKEN_OVER = 0x8e;

/** What is sent together arrives so far apart, lest rounding change the order. */
const GAP_MS = 1e-6;

/** The broker. */
export class SimulatedBroker {
  /** Whether it still makes faults of itself. */
  faulty = true;
  up = true;
  /** Topics whose name ends so may not be published to. */
  forbidden: string | undefined;
  readonly retained = new Map<string, string>();
  readonly options: SimulatedBrokerOptions;
  #session: Link | undefined;

  constructor(options: SimulatedBrokerOptions) {
    this.options = options;
  }

  /** In place of MQTT.js's `connect`, for one run of the gateway. */
  connect(owner: Owner): ConnectClient {
    return (options, acks) =>
      new SimulatedClient(this, options, acks, owner) as unknown as MqttClient;
  }

  /** The broker ends; whoever is connected loses the link. */
  shutDown(): void {
    this.up = false;
    this.#session?.cut();
    if (this.options.swarm.broker.forgets > 0) this.retained.clear();
  }

  /** Somebody else connects with the same client id. */
  rival(): void {
    this.#session?.takeOver();
    this.#session = undefined;
  }

  /** @internal A connection has come as far as CONNECT. */
  accept(link: Link): void {
    this.#session?.takeOver();
    this.#session = link;
    this.options.onConnected();
  }

  /** @internal A connection has been closed. */
  leave(link: Link): void {
    if (this.#session === link) this.#session = undefined;
  }

  /** @internal Takes a message or not: the code of its PUBACK, or undefined where none goes out. */
  publish(message: Published, { version }: Link): number | undefined {
    const { random, swarm: { broker }, isPoison } = this.options;
    const refusal = isPoison(message)
      ? random.pick(POISON)
      : this.forbidden !== undefined && message.topic.endsWith(this.forbidden)
      ? FORBIDDEN
      : this.faulty && random.chance(broker.busy)
      ? random.pick(BUSY)
      : undefined;
    // MQTT 3.1.1 has no words for a refusal, so a broker of that age takes everything.
    if (refusal !== undefined && version === 5) {
      this.options.onRefused(message);
      return refusal;
    }
    this.options.onPublished(message);
    if (message.retain) this.retained.set(message.topic, message.payload);
    return this.faulty && random.chance(broker.swallows) ? undefined : 0;
  }
}

/** The way between one client and the broker; what is on it keeps its order. */
class Link {
  readonly version: number;
  readonly #broker: SimulatedBroker;
  readonly #client: SimulatedClient;
  /** Whether anything comes through; a link that hangs looks open from either side. */
  #state: "open" | "hanging" | "cut" = "open";
  #isDeaf = false;
  #upMs = 0;
  #downMs = 0;

  constructor(
    broker: SimulatedBroker,
    client: SimulatedClient,
    version: number,
  ) {
    this.version = version;
    this.#broker = broker;
    this.#client = client;
  }

  /** Sends to the broker. */
  up(what: string, arrives: () => void): void {
    const { time, random, swarm } = this.#broker.options;
    const takesMs = random.around(swarm.broker.answerMs / 2);
    this.#upMs = Math.max(this.#upMs + GAP_MS, time.nowMs + takesMs);
    time.after(this.#upMs - time.nowMs, `broker: ${what}`, () => {
      if (this.#state === "open" && !this.#isDeaf && this.#broker.up) arrives();
    }, time.world);
  }

  /** Sends to the client. */
  down(what: string, arrives: () => void): void {
    const { time, random, swarm } = this.#broker.options;
    const takesMs = random.around(swarm.broker.answerMs / 2);
    this.#downMs = Math.max(this.#downMs + GAP_MS, time.nowMs + takesMs);
    time.after(this.#downMs - time.nowMs, `client: ${what}`, () => {
      if (this.#state === "open" && !this.#client.destroyed) arrives();
    }, this.#client.owner);
  }

  /** The client learns that the link is gone. */
  cut(): void {
    if (this.#state === "cut") return;
    this.#state = "cut";
    const { time, random, tell, onCut } = this.#broker.options;
    tell("broker: the link is cut");
    for (const { message } of Object.values(this.#client.outgoing)) {
      onCut(message);
    }
    time.after(
      random.around(5),
      "client: link lost",
      () => this.#client.lost(),
      this.#client.owner,
    );
  }

  /** Nothing comes through any more, and nobody is told. */
  hang(): void {
    if (this.#state !== "open") return;
    this.#broker.options.tell("broker: the link hangs");
    this.#state = "hanging";
  }

  /** Another client has this one's id: the broker listens to it no more. */
  takeOver(): void {
    this.#isDeaf = true;
    if (this.#state === "open" && this.version === 5) {
      this.#broker.options.tell("broker: another client has this client id");
      this.down("DISCONNECT", () => {
        this.#client.emit("disconnect", {
          cmd: "disconnect",
          reasonCode: TAKEN_OVER,
        });
        this.cut();
      });
    } else this.cut();
  }

  /** The client has closed its side. */
  closed(): void {
    // What it had written still arrives, mostly, and then its end.
    if (this.#broker.options.random.chance(0.3)) this.#state = "cut";
    this.up("end", () => {
      this.#state = "cut";
      this.#broker.leave(this);
    });
  }
}

interface Outgoing {
  readonly message: Published;
  readonly done: (error?: Error & { code?: number }) => void;
}

/** MQTT.js's client, as far as the sink uses it. */
class SimulatedClient extends EventEmitter {
  readonly owner: Owner;
  connected = false;
  disconnecting = false;
  readonly outgoing: Record<number, Outgoing> = {};
  readonly keepalive: number;
  readonly stream = {
    destroy: () => this.#destroy(),
    write: (bytes: Uint8Array) => void this.#parser.parse(Buffer.from(bytes)),
  };
  readonly #options: { readonly protocolVersion: 4 | 5 };
  readonly #parser: Parser;
  readonly #acks: MqttAcks;
  readonly #broker: SimulatedBroker;
  readonly #link: Link;
  readonly #connackTimer: ReturnType<typeof setTimeout>;
  #pingTimer: ReturnType<typeof setInterval> | undefined;
  #pingTicks = 0;
  /** The stream is closed on our side: nothing comes in any more. */
  destroyed = false;
  readonly #ids: NonNullable<IClientOptions["messageIdProvider"]>;
  /** Those who wait for the end of the stream. */
  readonly #ended: (() => void)[] = [];

  constructor(
    broker: SimulatedBroker,
    options: IClientOptions,
    acks: MqttAcks,
    owner: Owner,
  ) {
    super();
    this.#acks = acks;
    this.owner = owner;
    this.keepalive = options.keepalive!;
    this.#ids = options.messageIdProvider!;
    this.#options = { protocolVersion: options.protocolVersion as 4 | 5 };
    this.#parser = parser(this.#options);
    this.#parser.on("packet", (packet) => this.#written(packet));
    this.#broker = broker;
    this.#link = new Link(broker, this, options.protocolVersion!);
    this.#connackTimer = setTimeout(
      () => this.#fail(new Error("connack timeout")),
      options.connectTimeout!,
    );
    this.#connect();
  }

  publish(
    topic: string,
    payload: string,
    { qos, retain, properties }: IClientPublishOptions,
    done: Outgoing["done"],
  ): void {
    if (this.disconnecting) return done(new Error("client disconnecting"));
    if (qos === 0 && !this.connected) {
      return done(new Error("No connection to broker"));
    }
    const time = properties?.userProperties?.["time"] as string | undefined;
    const message: Published = { topic, payload, retain: retain!, time };
    this.#send(message, qos!, this.#ids.allocate()!, done);
  }

  /** What the sink has written by itself: the message ids below MQTT.js's, and no callback. */
  #written(packet: Packet): void {
    assert.ok(packet.cmd === "publish" && packet.qos === 1 && !packet.dup);
    const { topic, payload, retain, messageId = 0, properties } = packet;
    assert.ok(messageId > 0 && this.outgoing[messageId] === undefined);
    const time = properties?.userProperties?.["time"] as string | undefined;
    const message = { topic, payload: payload.toString(), retain, time };
    this.#send(message, 1, messageId, (error) => {
      if (error !== undefined && error.code === undefined) return;
      const { protocolVersion } = this.#options;
      const reasonCode = error?.code ?? 0;
      const puback = { cmd: "puback", messageId, reasonCode } as const;
      this.#acks.read(generate(puback, { protocolVersion }));
    });
  }

  #send(message: Published, qos: number, id: number, done: Outgoing["done"]) {
    const { swarm: { broker }, random, onAnswered } = this.#broker.options;
    const { topic, payload } = message;
    if (qos !== 0) this.outgoing[id] = { message, done };
    this.#link.up(`PUBLISH ${topic} ${payload}`, () => {
      if (this.#broker.faulty && random.chance(broker.cuts)) {
        if (qos === 0) this.#broker.options.onCut(message);
        return this.#link.cut();
      }
      if (this.#broker.faulty && random.chance(broker.hangs)) {
        return this.#link.hang();
      }
      const code = this.#broker.publish(message, this.#link);
      if (qos === 0 || code === undefined) return;
      this.#link.down(
        `PUBACK ${topic} ${payload} ${code}`,
        () => this.#acknowledge(id, code),
      );
    });
    if (qos !== 0) return;
    onAnswered(message, 0);
    done();
  }

  #acknowledge(id: number, code: number): void {
    const outgoing = this.outgoing[id];
    if (outgoing === undefined || this.destroyed) return;
    delete this.outgoing[id];
    this.#broker.options.onAnswered(outgoing.message, code);
    outgoing.done(
      code === 0
        ? undefined
        : Object.assign(new Error("Publish error"), { code }),
    );
  }

  removeOutgoingMessage(id: number): void {
    const outgoing = this.outgoing[id];
    delete this.outgoing[id];
    outgoing?.done(new Error("Message removed"));
  }

  end(force: boolean, ended: () => void = () => {}): void {
    if (this.disconnecting) return ended();
    this.disconnecting = true;
    this.#stopPings();
    if (this.destroyed || !this.connected) ended();
    else this.#ended.push(ended);
    if (force) return this.#cleanUp();
    this.#link.up("DISCONNECT", () => this.#link.cut());
  }

  endAsync(force: boolean): Promise<void> {
    return new Promise((resolve) => this.end(force, resolve));
  }

  reschedulePing(_force: boolean): void {
    if (this.#pingTimer === undefined) return;
    this.#stopPings();
    this.#startPings();
  }

  sendPing(): void {
    this.#link.up("PINGREQ", () => {
      this.#link.down("PINGRESP", () => {
        this.emit("packetreceive", { cmd: "pingresp" });
        this.reschedulePing(true);
      });
    });
  }

  /** The stream has ended from the other side. */
  lost(): void {
    this.#destroy();
  }

  #connect(): void {
    const { options, faulty, up } = this.#broker;
    const { random, swarm, tell } = options;
    const { refusesConnect, silentConnect, closesConnect } = swarm.broker;
    if (!up) {
      tell("broker: nothing listens");
      return this.#later("ECONNREFUSED", () => {
        this.emit(
          "error",
          Object.assign(new Error("refused"), { code: "ECONNREFUSED" }),
        );
        this.#destroy();
      });
    }
    if (faulty && random.chance(silentConnect)) {
      return tell("broker: does not answer the connection");
    }
    if (faulty && random.chance(closesConnect)) {
      tell("broker: closes the connection without a word");
      return this.#later("closed", () => this.#destroy());
    }
    const older = swarm.mqtt.version < this.#link.version;
    if (older || (faulty && random.chance(refusesConnect))) {
      const code = older
        ? random.pick([1, 0x84])
        : this.#link.version === 5
        ? random.pick([0x88, 0x89, 0x97, 0x86, 0x87])
        : random.pick([2, 3, 4, 5]);
      tell("broker: refuses the connection", code);
      return this.#link.down(`CONNACK ${code}`, () => {
        this.#fail(Object.assign(new Error("Connection refused"), { code }));
      });
    }
    this.#link.up("CONNECT", () => {
      this.#broker.accept(this.#link);
      this.#link.down("CONNACK 0", () => {
        if (this.destroyed) return;
        clearTimeout(this.#connackTimer);
        this.connected = true;
        this.#startPings();
        const { receiveMaximum } = swarm.mqtt;
        this.emit(
          "connect",
          this.#link.version === 5 ? { properties: { receiveMaximum } } : {},
        );
      });
    });
  }

  #later(what: string, run: () => void): void {
    const { time, random } = this.#broker.options;
    time.after(random.around(2), `client: ${what}`, () => {
      if (!this.destroyed) run();
    }, this.owner);
  }

  #fail(error: Error): void {
    if (this.destroyed) return;
    this.#cleanUp();
    this.emit("error", error);
  }

  #cleanUp(): void {
    for (const id of Object.keys(this.outgoing)) {
      const { done } = this.outgoing[Number(id)]!;
      done(new Error("Connection closed"));
      delete this.outgoing[Number(id)];
    }
    this.#destroy();
  }

  #destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#link.closed();
    this.#stopPings();
    const { time } = this.#broker.options;
    time.after(0, "client: close", () => {
      this.connected = false;
      clearTimeout(this.#connackTimer);
      this.#stopPings();
      this.emit("close");
      for (const ended of this.#ended.splice(0)) ended();
    }, this.owner);
  }

  #startPings(): void {
    this.#pingTicks = 0;
    this.#pingTimer = setInterval(() => {
      if (++this.#pingTicks > 2) {
        return this.#fail(new Error("Keepalive timeout"));
      }
      if (this.#pingTicks === 2) this.sendPing();
    }, this.keepalive * 500);
  }

  #stopPings(): void {
    clearInterval(this.#pingTimer);
    this.#pingTimer = undefined;
  }
}
