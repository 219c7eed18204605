import assert from "node:assert/strict";
import { PROGRAMS } from "../cli/program.ts";
import {
  type Mosquitto,
  requires,
  startMosquitto,
  subscribe,
  type Subscription,
} from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const [source] = PROGRAMS;
assert.ok(source);

const SPEAKS =
  `while :; do echo 'JSON sent via VCP: {"n1":{"t":20}}'; sleep 0.2; done`;

const FAILS = "echo 'Error: No connected probes were found.' >&2; exit 1";

/** A gateway whose boards, by their names, are shell scripts. */
function create(
  { url }: Mosquitto,
  boards: Readonly<Record<string, string>>,
): Promise<GatewayProcess> {
  const tables = Object.entries(boards).map(([name, script]) => `
${name === "" ? "[gateway]" : `[[board]]\nname = "${name}"`}
command = ["sh", "-c", ${JSON.stringify(script)}]
`);
  return GatewayProcess.create({
    program: source!,
    config: `
[mqtt]
broker_url = "${url}"
client_id = "states"
topic_prefix = "iiot"
${tables.join("")}`,
  });
}

/** The texts heard on a topic, in order. */
function textsOf({ messages }: Subscription, topic: string): string[] {
  return messages.filter((one) => one.topic === `iiot/${topic}`)
    .map(({ payload }) => payload);
}

/** What a new subscriber learns. */
async function kept({ url }: Mosquitto): Promise<Record<string, string>> {
  await using late = await subscribe(url, "iiot/+/+", { states: true });
  const topics = await late.waitFor(4);
  return Object.fromEntries(
    topics.map(({ topic, payload }) => [topic.slice(5), payload]),
  );
}

Deno.test({
  name:
    "The topics say that the gateway is there, how its board is, and that it has gone: in order, and after kill -9",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    await using heard = await subscribe(broker.url, "iiot/#", { states: true });
    await using gateway = await create(broker, { "": SPEAKS });
    gateway.start();
    const runs = (times: number) =>
      eventually(
        "it runs",
        () =>
          textsOf(heard, "board/state").filter((text) => text === "running")
              .length === times &&
          textsOf(heard, "node1/temperature").length > 0,
      );
    await runs(1);
    const running = await kept(broker);
    assert.equal(running["gateway/state"], "online");
    assert.equal(running["board/state"], "running");
    assert.match(
      running["board/detail"]!,
      /^At \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ the program of the board runs as process \d+, 0 restarts$/,
    );
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    assert.deepEqual(textsOf(heard, "gateway/state"), ["online", "offline"]);
    const { ["board/detail"]: detail, ...stopped } = await kept(broker);
    assert.deepEqual(stopped, {
      "gateway/state": "offline",
      "board/state": "stopped",
      "node1/temperature": "20",
    });
    assert.match(detail!, /Z the program of the board is stopped, 0 restarts$/);
    assert.equal(heard.messages.at(-1)?.payload, "offline");

    gateway.start();
    await runs(2);
    await gateway.end("SIGKILL");
    await eventually(
      "the last will is heard",
      () => textsOf(heard, "gateway/state").length === 4,
    );
    assert.deepEqual(textsOf(heard, "gateway/state").slice(2), [
      "online",
      "offline",
    ]);
    assert.equal((await kept(broker))["gateway/state"], "offline");
  },
});

Deno.test({
  name: "The topics say what is wrong with a board, and what to do",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    await using heard = await subscribe(broker.url, "iiot/#", { states: true });
    await using gateway = await create(broker, { "": FAILS });
    gateway.start();
    await eventually(
      "it is told",
      () =>
        textsOf(heard, "board/state").at(-1) === "failed" &&
        /^At \S+Z the program of the board has failed and is tried again: probe missing: .*No connected probes were found\. To do: plug the probe in/
          .test(textsOf(heard, "board/detail").at(-1) ?? ""),
    );
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    assert.equal(textsOf(heard, "board/state").at(-1), "stopped");
    assert.equal(textsOf(heard, "gateway/state").at(-1), "offline");
  },
});

Deno.test({
  name: "Each board has topics of its own for how it is",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    await using heard = await subscribe(broker.url, "iiot/#", { states: true });
    await using gateway = await create(broker, { press: SPEAKS, oven: FAILS });
    gateway.start();
    await eventually(
      "both are told",
      () =>
        textsOf(heard, "press/board/state").at(-1) === "running" &&
        textsOf(heard, "oven/board/state").at(-1) === "failed",
    );
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    for (const board of ["press", "oven"]) {
      assert.equal(textsOf(heard, `${board}/board/state`).at(-1), "stopped");
    }
    assert.deepEqual(textsOf(heard, "board/state"), []);
    assert.equal(heard.messages.at(-1)?.payload, "offline");
  },
});

Deno.test({
  name: "The topics say that a probe is released, and that it is taken back",
  ...requires("mosquitto"),
  fn: async () => {
    await using broker = await startMosquitto();
    await using heard = await subscribe(broker.url, "iiot/#", { states: true });
    await using gateway = await create(broker, { "": SPEAKS });
    const says = (word: string) =>
      eventually(
        word,
        () => textsOf(heard, "board/state").at(-1) === word,
      );
    gateway.start();
    await says("running");
    const release = (...args: string[]) =>
      gateway.run("release", "--config", "config.toml", ...args);
    assert.equal((await release("--minutes", "15")).code, 0);
    await says("released");
    await eventually(
      "the sentence",
      () =>
        /^At \S+Z the program of the board has given the probe away, .* in 15 min/
          .test(textsOf(heard, "board/detail").at(-1) ?? ""),
    );
    assert.equal((await release("--end")).code, 0);
    await says("running");
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  },
});
