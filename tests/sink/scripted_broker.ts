/**
 * A broker that answers what the test says, for answers that no real broker here can be made to give.
 *
 * @module
 */

/** What the broker answers; everything is optional. */
export interface BrokerScript {
  /** Reason code of its CONNACK; "close" hangs up instead. @default {0} */
  readonly connack?: number | "close" | ((will?: ScriptedWill) => number);
  /** The same to MQTT 5 alone. @default {connack} */
  readonly connack5?: number;
  /** MQTT 5 properties of its CONNACK, as on the wire. @default {[]} */
  readonly properties?: readonly number[];
  /** Reason code of the PUBACK or PUBREC for the publish with this topic; "silence" gives none. */
  readonly puback?: (topic: string, payload: string) => number | "silence";
  /** Reason code of the SUBACK to a subscription of one filter; "silence" gives none. @default {0} */
  readonly suback?: number | "silence";
  /** Reason code of a DISCONNECT that it sends at the first publish. */
  readonly disconnect?: number;
  /** What it does at a publish instead of answering: hang up, or send a DISCONNECT with this code. */
  readonly at?: (message: ScriptedPublish) => "close" | number | undefined;
}

/** A message as the broker got it. */
export interface ScriptedPublish {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
  /** Bytes of the whole packet. */
  readonly bytes: number;
  /** Whether a PINGREQ came just before. */
  readonly afterPing: boolean;
}

/** A last will as the broker got it. */
export interface ScriptedWill {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** A running scripted broker. */
export interface ScriptedBroker extends AsyncDisposable {
  readonly url: string;
  /** Protocol levels of the CONNECTs: 4 or 5. */
  readonly levels: readonly number[];
  /** The last will of each CONNECT. */
  readonly wills: readonly (ScriptedWill | undefined)[];
  readonly published: readonly ScriptedPublish[];
  /** How many connections ended with a DISCONNECT. */
  readonly goodbyes: number;
  /** The most messages that were unanswered at once; only those to which it is silent count. */
  readonly unanswered: number;
}

const CONNECT = 1, PUBLISH = 3, PUBREL = 6, SUBSCRIBE = 8;
const PINGREQ = 12, DISCONNECT = 14;

/** Starts a broker on a free port of 127.0.0.1. */
export function startScriptedBroker(script: BrokerScript): ScriptedBroker {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const state = {
    levels: [] as number[],
    wills: [] as (ScriptedWill | undefined)[],
    published: [] as ScriptedPublish[],
    goodbyes: 0,
    unanswered: 0,
    pinged: false,
  };
  const connections = new Set<Deno.TcpConn>();
  const serving = new Set<Promise<void>>();
  const serve = async (connection: Deno.TcpConn) => {
    connections.add(connection);
    connection.setNoDelay(true);
    try {
      for await (const packet of packetsOf(connection)) {
        const answer = answerTo(packet, script, state);
        if (answer === "close") break;
        if (answer.length > 0) await connection.write(Uint8Array.from(answer));
      }
    } catch {
      // The client has gone.
    } finally {
      connections.delete(connection);
      connection.close();
    }
  };
  const accepting = (async () => {
    try {
      for await (const connection of listener) serving.add(serve(connection));
    } catch {
      // The listener was closed.
    }
  })();
  return Object.assign(state, {
    url: `mqtt://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of connections) await connection.closeWrite();
      await Promise.all(serving);
    },
  });
}

interface Packet {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
  readonly bytes: number;
}

function answerTo(
  { type, flags, body, bytes }: Packet,
  script: BrokerScript,
  state: {
    levels: number[];
    wills: (ScriptedWill | undefined)[];
    published: ScriptedPublish[];
    goodbyes: number;
    unanswered: number;
    pinged: boolean;
  },
): number[] | "close" {
  if (type === CONNECT) {
    const level = body[6]!;
    state.levels.push(level);
    const will = willOf(body);
    state.wills.push(will);
    const { properties = [] } = script;
    const given = level === 5 ? script.connack5 : undefined;
    const { connack: answer = 0 } = script;
    const connack = given ??
      (typeof answer === "function" ? answer(will) : answer);
    if (connack === "close") return "close";
    return level === 5
      ? [
        0x20,
        3 + properties.length,
        0,
        connack,
        properties.length,
        ...properties,
      ]
      : [0x20, 2, 0, connack];
  }
  if (type === DISCONNECT) {
    state.goodbyes++;
    return "close";
  }
  const afterPing = state.pinged;
  state.pinged = type === PINGREQ;
  if (type === PINGREQ) return [0xd0, 0];
  if (type === PUBREL) return [0x70, 2, body[0]!, body[1]!];
  if (type === SUBSCRIBE) {
    const { suback = 0 } = script;
    if (suback === "silence") return [];
    const id = [body[0]!, body[1]!];
    return state.levels.at(-1) === 5
      ? [0x90, 4, ...id, 0, suback]
      : [0x90, 3, ...id, suback];
  }
  if (type !== PUBLISH) return [];
  const length = body[0]! * 256 + body[1]!;
  const topic = new TextDecoder().decode(body.subarray(2, 2 + length));
  const qos = flags >> 1 & 3;
  let start = 2 + length + (qos === 0 ? 0 : 2);
  if (state.levels.at(-1) === 5) start += 1 + body[start]!;
  const payload = new TextDecoder().decode(body.subarray(start));
  const retain = (flags & 1) === 1;
  const message = { topic, payload, qos, retain, bytes, afterPing };
  state.published.push(message);
  const does = script.at?.(message);
  if (does === "close") return "close";
  if (does !== undefined) return [0xe0, 2, does, 0];
  if (script.disconnect !== undefined) return [0xe0, 2, script.disconnect, 0];
  if (qos === 0) return [];
  const code = script.puback?.(topic, payload) ?? 0;
  if (code === "silence") {
    state.unanswered++;
    return [];
  }
  const answer = qos === 1 ? 0x40 : 0x50;
  return [answer, 3, body[2 + length]!, body[3 + length]!, code];
}

/** The last will in a CONNECT (MQTT 5, section 3.1; lengths of properties below 128). */
function willOf(body: Uint8Array): ScriptedWill | undefined {
  const flags = body[7]!;
  if ((flags & 4) === 0) return undefined;
  const isFive = body[6] === 5;
  const skipProperties = (at: number) => isFive ? at + 1 + body[at]! : at;
  const fieldAt = (at: number) => {
    const start = at + 2;
    const end = start + body[at]! * 256 + body[at + 1]!;
    return { text: new TextDecoder().decode(body.subarray(start, end)), end };
  };
  const clientId = fieldAt(skipProperties(10));
  const topic = fieldAt(skipProperties(clientId.end));
  const { text: payload } = fieldAt(topic.end);
  const qos = flags >> 3 & 3;
  return { topic: topic.text, payload, qos, retain: (flags & 32) !== 0 };
}

async function* packetsOf(connection: Deno.TcpConn): AsyncIterable<Packet> {
  let bytes = new Uint8Array(0);
  const buffer = new Uint8Array(65_536);
  for (let length; (length = await connection.read(buffer)) !== null;) {
    const joined = new Uint8Array(bytes.length + length);
    joined.set(bytes);
    joined.set(buffer.subarray(0, length), bytes.length);
    bytes = joined;
    for (let packet; (packet = firstPacket(bytes)) !== undefined;) {
      bytes = bytes.slice(packet.bytes);
      yield packet;
    }
  }
}

function firstPacket(bytes: Uint8Array): Packet | undefined {
  let length = 0;
  for (let at = 1; at < bytes.length && at < 5; at++) {
    length += (bytes[at]! & 0x7f) << 7 * (at - 1);
    if (bytes[at]! >= 0x80) continue;
    const end = at + 1 + length;
    if (bytes.length < end) return undefined;
    return {
      type: bytes[0]! >> 4,
      flags: bytes[0]! & 15,
      body: bytes.subarray(at + 1, end),
      bytes: end,
    };
  }
  return undefined;
}
