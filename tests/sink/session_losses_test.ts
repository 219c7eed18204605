import assert from "node:assert/strict";
import {
  type SessionEnd,
  SessionLosses,
} from "../../lib/sink/session_losses.ts";
import type { Failure } from "../../lib/sink/sink.ts";
import { requires, startMosquitto } from "../servers.ts";
import { mqttSink, open, row } from "./given.ts";

const LOST: Failure = { kind: "retry", message: "The connection is lost" };

/** Lets sessions of the given milliseconds be lost one after the other; what each came to. */
function given() {
  let ms = 0;
  const losses = new SessionLosses({
    clientId: "gw",
    monotonic: () => ms,
    random: () => 0.5,
  });
  const run = (lengthMs: number, end: (session: SessionEnd) => void) => {
    const session = losses.begin("broker:1883");
    ms += lengthMs;
    end(session);
  };
  return {
    losses,
    lose(lengthMs: number, failure = LOST, code?: number): Failure {
      let judged = failure;
      run(lengthMs, (session) => judged = session.lost(failure, code));
      return judged;
    },
    leave: (lengthMs: number) =>
      run(lengthMs, (session) => session.explained()),
  };
}

Deno.test("SessionLosses blames the client id from the third loss in a row within 10 s on", () => {
  const { lose } = given();
  assert.deepEqual([lose(10_000), lose(0)], [LOST, LOST]);
  const blocked = (afterMs: number) => ({
    kind: "blocked",
    message:
      'The connection to the MQTT broker at broker:1883 was lost 3 times within 10 s of connecting: probably another client uses the client id "gw"',
    hint:
      'Another client uses the same client id (a copied disk?): give each gateway its own "mqtt.client_id"',
    afterMs,
  });
  const [third, fourth] = [blocked(90_000), blocked(180_000)];
  assert.deepEqual([lose(0), lose(10_000)], [third, fourth]);
  assert.deepEqual(lose(10_001), LOST);
});

Deno.test("SessionLosses begins to count again after a long session and after one that was ended", () => {
  const { lose, leave } = given();
  for (const reset of [() => lose(10_001), () => leave(1)]) {
    assert.deepEqual([lose(1), lose(1)], [LOST, LOST]);
    reset();
  }
  assert.deepEqual([lose(1), lose(1)], [LOST, LOST]);
  assert.equal(lose(1).kind, "blocked");
});

Deno.test("SessionLosses backs off to minutes from a rival, further each time, until a session was longer than any pause", () => {
  const { lose, leave } = given();
  const rival: Failure = { kind: "blocked", message: "0x8e", hint: "Rename" };
  const pauseMs = (lengthMs: number) => lose(lengthMs, rival, 0x8e).afterMs;
  // Half of the longest pause and, with the dice of this test, a quarter more.
  const minutes = [1.5, 3, 6, 7.5, 7.5].map((n) => n * 60_000);
  assert.deepEqual(minutes.map(() => pauseMs(600_000)), minutes);
  leave(600_000);
  assert.equal(pauseMs(1), 7.5 * 60_000);
  assert.equal(pauseMs(600_001), 1.5 * 60_000);
  leave(600_001);
  assert.equal(pauseMs(1), 1.5 * 60_000);
});

Deno.test("SessionLosses blames no rival where the broker could not be reached in between", () => {
  const { losses, lose } = given();
  for (let i = 0; i < 5; i++) {
    assert.deepEqual([lose(1), lose(1)], [LOST, LOST]);
    losses.unreachable();
  }
  assert.deepEqual([lose(1), lose(1)], [LOST, LOST]);
  assert.equal(lose(1).kind, "blocked");
});

Deno.test("SessionLosses leaves one of two copies in peace, whatever they are told of why they were thrown off", () => {
  for (const code of [undefined, 0x8e]) {
    let ms = 0;
    let seed = 1;
    // A linear congruential generator (Numerical Recipes): the same dice at every run.
    const random = () =>
      (seed = (1_664_525 * seed + 1_013_904_223) % 2 ** 32) / 2 ** 32;
    const copies = [1, 2].map(() => ({
      losses: new SessionLosses({
        clientId: "gw",
        monotonic: () => ms,
        random,
      }),
      session: undefined as SessionEnd | undefined,
      comesAtMs: 1_000 * random(),
    }));
    const failure: Failure = code === undefined
      ? LOST
      : { kind: "blocked", message: "0x8e", hint: "Rename" };
    const takeovers: number[] = [];
    while (ms < 24 * 3_600_000) {
      const [next, other] = copies.toSorted((a, b) =>
        a.comesAtMs - b.comesAtMs
      );
      ms = next!.comesAtMs;
      next!.session = next!.losses.begin("broker:1883");
      next!.comesAtMs = Infinity;
      const thrownOff = other!.session?.lost(failure, code);
      other!.session = undefined;
      if (thrownOff === undefined) continue;
      takeovers.push(ms);
      // What is no rival's doing is tried again within a second.
      const { kind, afterMs = 60_000 } = thrownOff;
      other!.comesAtMs = ms +
        (kind === "blocked" ? afterMs : 1_000 * random());
    }
    const lastHour = takeovers.filter((at) => at > 23 * 3_600_000);
    assert.ok(lastHour.length < 20, `${code}: ${lastHour.length} in an hour`);
  }
});

Deno.test("SessionLosses leaves the broker's own reason as it is", () => {
  const { lose } = given();
  const failure = { kind: "blocked", message: "Banned", hint: "Ask" } as const;
  for (let i = 0; i < 4; i++) assert.deepEqual(lose(1, failure), failure);
});

Deno.test({
  name: "MqttSinks of one client id find out that they throw each other off",
  ...requires("mosquitto"),
  async fn() {
    await using broker = await startMosquitto();
    const sinks = [mqttSink(broker.url), mqttSink(broker.url)] as const;
    await using stack = new AsyncDisposableStack();
    let current = stack.use(await open(sinks[0]));
    const kinds: string[] = [];
    for (let i = 1; i <= 6; i++) {
      const other = stack.use(await open(sinks[i % 2]!));
      const failure = await current.closed;
      kinds.push(failure.kind);
      const outcome = await current.deliver([row(1, { "n1.t": 1 })]);
      assert.deepEqual([outcome.done, outcome.failure], [0, failure]);
      current = other;
      if (i < 5) continue;
      assert.match(failure.message, /lost 3 times .* client id "gateway"$/);
      assert.ok(failure.kind === "blocked");
      assert.match(failure.hint, /"mqtt\.client_id"/);
    }
    const twice = Array(4).fill("retry");
    assert.deepEqual(kinds, [...twice, "blocked", "blocked"]);
  },
});

Deno.test({
  name: "MqttSink suspects no other client while its sessions last",
  ...requires("mosquitto"),
  async fn() {
    let ms = 0;
    const options = { monotonic: () => ms };
    await using broker = await startMosquitto();
    const sinks = [
      mqttSink(broker.url, {}, options),
      mqttSink(broker.url, {}, options),
    ] as const;
    await using stack = new AsyncDisposableStack();
    let current = stack.use(await open(sinks[0]));
    for (let i = 1; i <= 6; i++) {
      ms += i === 3 || i === 4 ? 10_001 : 1;
      const other = stack.use(await open(sinks[i % 2]!));
      assert.equal((await current.closed).kind, "retry");
      current = other;
    }
  },
});
