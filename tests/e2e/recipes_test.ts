/**
 * The README's recipes for `gateway.command`, as they stand there: only the device, the address and the
 * files are those of the test.
 *
 * @module
 */

import assert from "node:assert/strict";
import { PROGRAMS } from "../cli/program.ts";
import { defmtFrame, makeDefmtFirmware } from "../elf.ts";
import {
  freePort,
  type HeardMessage,
  requires,
  startMosquitto,
  subscribe,
} from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";
import { SerialCable } from "./serial_cable.ts";

const [source] = PROGRAMS;
assert.ok(source);

const README = await Deno.readTextFile(
  new URL("../../README.md", import.meta.url),
);

/** The only recipe in the README that has all of these words. */
function recipe(...words: string[]): string {
  const section = /\n## Any program that prints lines\n([\s\S]*?)\n## /
    .exec(README)?.[1] ?? "";
  const found = [...section.matchAll(/```toml\n([\s\S]*?)```/g)]
    .map(([, text]) => text ?? "")
    .filter((text) =>
      words.every((word) => text.includes(word)) &&
      (words.includes("defmt-print") || !text.includes("defmt-print"))
    );
  assert.equal(found.length, 1, `recipes with ${words}: ${found.length}`);
  return found[0] ?? "";
}

/** `text` with other words; each of them stands in it. */
function change(
  text: string,
  words: Readonly<Record<string, string>>,
): string {
  for (const [word, other] of Object.entries(words)) {
    assert.ok(text.includes(word), `${word} in ${text}`);
    text = text.replaceAll(word, other);
  }
  return text;
}

/** A packet, as a line without its end. */
function packet(ts: number, temperature: number): string {
  return `JSON sent via VCP: {"ts":${ts},"n1":{"t":${temperature}}}`;
}

/** A gateway with this `[gateway]`, and what it publishes. */
async function startGateway(board: string) {
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await startMosquitto());
  const heard = stack.use(await subscribe(broker.url, "iiot/node1/#"));
  const states = stack.use(
    await subscribe(broker.url, "iiot/board/state", { states: true }),
  );
  const gateway = stack.use(
    await GatewayProcess.create({
      program: source!,
      config:
        `[mqtt]\nbroker_url = "${broker.url}"\nclient_id = "recipes"\ntopic_prefix = "iiot"\n${board}\n`,
    }),
  );
  const all = stack.move();
  return {
    gateway,
    heard,
    states,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function values(messages: readonly HeardMessage[]): string[] {
  return messages.map(({ payload }) => payload);
}

/** A TCP server that sends its lines to whoever comes, and closes when it is told. */
function serveLines(port: number) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const connections: Deno.TcpConn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) connections.push(connection);
  })();
  const close = () => {
    for (const one of connections.splice(0)) one.close();
  };
  return {
    get count() {
      return connections.length;
    },
    async send(bytes: Uint8Array) {
      for (const one of connections) {
        const writer = one.writable.getWriter();
        await writer.write(bytes);
        writer.releaseLock();
      }
    },
    close,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      close();
    },
  };
}

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test({
  name:
    "The README's serial port is read, and read again after it was unplugged",
  ...requires("mosquitto", "socat", "stty"),
  async fn() {
    await using cable = await SerialCable.create();
    const board = change(recipe("/dev/ttyACM0"), {
      "/dev/ttyACM0": cable.port,
    });
    await cable.plug();
    await using world = await startGateway(board);
    const { gateway, heard } = world;
    gateway.start();
    await eventually("it is read", () => gateway.log.includes("Started"));
    await cable.send(`${packet(1, 21.5)}\r\n`);
    assert.deepEqual(values(await heard.waitFor(1)), ["21.5"]);

    await cable.unplug();
    const child = await eventually("it is missed", async () => {
      const [one] = (await gateway.status()).boards;
      return one?.child?.failure?.kind === "device missing" && one.child;
    });
    assert.match(
      child.failure?.todo ?? "",
      new RegExp(`^plug .*${cable.port.split("/").at(-1)}.* in, or correct`),
    );
    await cable.plug();
    await eventually("it is read again", async () => {
      const [one] = (await gateway.status()).boards;
      return one?.child?.phase === "running";
    });
    await cable.send(`${packet(2, 22.5)}\r\n`);
    assert.deepEqual(values(await heard.waitFor(2)), ["21.5", "22.5"]);
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  },
});

for (
  const [name, board, address] of [
    ["serial server in the network", recipe("keepalive"), "192.0.2.10:4001"],
    ["RTT server of OpenOCD", recipe("127.0.0.1:9090"), "127.0.0.1:9090"],
  ] as const
) {
  Deno.test({
    name: `The README's ${name} is read, and called again when it hangs up`,
    ...requires("mosquitto", "socat"),
    async fn() {
      const port = freePort();
      await using server = serveLines(port);
      await using world = await startGateway(
        change(board, { [address]: `127.0.0.1:${port}` }),
      );
      const { gateway, heard } = world;
      gateway.start();
      await eventually("it calls", () => server.count === 1);
      await server.send(encode(`${packet(1, 21.5)}\n`));
      await heard.waitFor(1);
      server.close();
      await eventually("it calls again", () => server.count === 1);
      await server.send(encode(`${packet(2, 22.5)}\n`));
      assert.deepEqual(values(await heard.waitFor(2)), ["21.5", "22.5"]);
      assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    },
  });
}

Deno.test({
  name: "The README's defmt over the network is read",
  ...requires("mosquitto", "socat", "defmt-print"),
  async fn() {
    const port = freePort();
    await using server = serveLines(port);
    await using world = await startGateway(
      change(recipe("defmt-print", "socat"), {
        "192.0.2.10:4001": `127.0.0.1:${port}`,
      }),
    );
    const { gateway, heard } = world;
    await Deno.mkdir(`${gateway.folder}/firmware`);
    await Deno.writeFile(
      `${gateway.folder}/firmware/firmware.elf`,
      makeDefmtFirmware(),
    );
    gateway.start();
    await eventually("it calls", () => server.count === 1);
    await server.send(defmtFrame(`${packet(1, 21.5)}\\n`));
    assert.deepEqual(values(await heard.waitFor(1)), ["21.5"]);
    server.close();
    await eventually("it calls again", () => server.count === 1);
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  },
});

Deno.test({
  name: "The README's defmt over a serial port is read",
  ...requires("mosquitto", "socat", "stty", "defmt-print"),
  async fn() {
    await using cable = await SerialCable.create();
    await cable.plug();
    await using world = await startGateway(
      change(recipe("defmt-print", "/dev/ttyACM0"), {
        "/dev/ttyACM0": cable.port,
      }),
    );
    const { gateway, heard } = world;
    await Deno.mkdir(`${gateway.folder}/firmware`);
    await Deno.writeFile(
      `${gateway.folder}/firmware/firmware.elf`,
      makeDefmtFirmware(),
    );
    gateway.start();
    await eventually("it is read", () => gateway.log.includes("Started"));
    await cable.send(defmtFrame(`${packet(1, 21.5)}\\n`));
    assert.deepEqual(values(await heard.waitFor(1)), ["21.5"]);
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  },
});

Deno.test({
  name: "The README's file is read once, delivered, and said to be over",
  ...requires("mosquitto"),
  async fn() {
    await using world = await startGateway(recipe("on-failure"));
    const { gateway, heard, states } = world;
    await Deno.writeTextFile(
      `${gateway.folder}/captured.log`,
      `${packet(1, 21.5)}\n${packet(2, 22.5)}\n`,
    );
    gateway.start();
    assert.deepEqual(values(await heard.waitFor(2)), ["21.5", "22.5"]);
    const status = await eventually("it is over", async () => {
      const now = await gateway.status();
      return now.boards[0]?.child?.phase === "ended" && now;
    });
    assert.match(
      status.summary,
      /^The program of the board has ended and is not started again/,
    );
    assert.equal(status.boards[0]?.child?.failure, null);
    assert.match(
      gateway.log,
      /"cat" has ended with exit code 0 after .* is not started again \("restart" is "on-failure"\)/,
    );
    await eventually(
      "the state is told",
      () => states.messages.at(-1)?.payload === "stopped",
    );
    const { code, stderr } = await gateway.run(
      "release",
      ...["--config", "config.toml"],
    );
    assert.equal(code, 1);
    assert.match(stderr, /has ended and is not started again: it holds nothi/);
    assert.equal(heard.messages.length, 2);
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  },
});

Deno.test({
  name: "The README's file that grows is followed, also where it is replaced",
  ...requires("mosquitto"),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/board.log`;
      await Deno.writeTextFile(path, `${packet(1, 20.5)}\n`);
      await using world = await startGateway(
        change(recipe("tail"), { "/var/log/board.log": path }),
      );
      const { gateway, heard } = world;
      gateway.start();
      // Only what is new is read, so it is written until it is.
      await eventually("it is followed", async () => {
        await Deno.writeTextFile(path, `${packet(2, 21.5)}\n`, {
          append: true,
        });
        return heard.messages.length > 0;
      });
      await Deno.rename(path, `${path}.1`);
      await Deno.writeTextFile(path, `${packet(3, 22.5)}\n`);
      await eventually(
        "the new one is read",
        () => heard.messages.at(-1)?.payload === "22.5",
      );
      assert.ok(!values(heard.messages).includes("20.5"));
      assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
