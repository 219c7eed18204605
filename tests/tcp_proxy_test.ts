import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { startTcpProxy, type TcpProxy } from "./tcp_proxy.ts";

/** A server that sends back what it gets, and one client of it through a proxy. */
interface World extends AsyncDisposable {
  readonly proxy: TcpProxy;
  /** What the server has got. */
  readonly got: Buffered;
  connect(): Promise<{ socket: Socket; heard: Buffered }>;
}

/** What a socket has received. */
class Buffered {
  bytes = 0;
  /** Its error's code, or "end". */
  readonly over = Promise.withResolvers<string>();
  #check = () => {};

  constructor(socket?: Socket) {
    if (socket !== undefined) this.add(socket);
  }

  add(socket: Socket): void {
    let code = "end";
    socket.on("data", (piece: Uint8Array) => {
      this.bytes += piece.length;
      this.#check();
    });
    socket.on(
      "error",
      (error: Error & { code?: string }) => code = error.code ?? error.message,
    );
    socket.on("close", () => this.over.resolve(code));
  }

  until(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#check = () => this.bytes >= bytes && resolve();
      this.#check();
    });
  }
}

async function makeWorld(): Promise<World> {
  const got = new Buffered();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    got.add(socket);
    socket.on("data", (piece) => socket.write(piece));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy = await startTcpProxy(
    (server.address() as { port: number }).port,
  );
  return {
    proxy,
    got,
    connect: async () => {
      const socket = connect(proxy.port, "127.0.0.1");
      sockets.add(socket);
      const heard = new Buffered(socket);
      await new Promise<void>((resolve, reject) =>
        socket.once("connect", resolve).once("error", reject)
      );
      return { socket, heard };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await proxy[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

Deno.test("TcpProxy passes bytes both ways, and the end of a side", async () => {
  await using world = await makeWorld();
  const { socket, heard } = await world.connect();
  socket.write(new Uint8Array(300_000));
  await heard.until(300_000);
  assert.deepEqual(world.proxy.passed, {
    toServer: 300_000,
    toClient: 300_000,
  });
  socket.end();
  assert.equal(await world.got.over.promise, "end");
  assert.equal(await heard.over.promise, "end");
  assert.equal(world.proxy.taken, 1);
});

for (const direction of ["toServer", "toClient"] as const) {
  Deno.test(`TcpProxy cuts after the very byte, ${direction}`, async () => {
    await using world = await makeWorld();
    const cut = world.proxy.cutAfter(70_001, direction);
    const first = await world.connect();
    first.socket.write(new Uint8Array(200_000));
    await cut;
    assert.equal(world.proxy.passed[direction], 70_001);
    await first.heard.over.promise;
    if (direction === "toClient") assert.equal(first.heard.bytes, 70_001);
    const next = await world.connect();
    next.socket.write(new Uint8Array(100_000));
    await next.heard.until(100_000);
  });
}

Deno.test("TcpProxy counts a cut that many connections come to at once exactly, and goes on", async () => {
  await using world = await makeWorld();
  const clients = await Promise.all(
    Array.from({ length: 30 }, () => world.connect()),
  );
  const cut = world.proxy.cutAfter(1_050, "toServer");
  for (const { socket } of clients) socket.write(new Uint8Array(100));
  await cut;
  const next = await world.connect();
  next.socket.write("x");
  await next.heard.until(1);
});

Deno.test("TcpProxy resets connections and takes new ones", async () => {
  await using world = await makeWorld();
  const first = await world.connect();
  first.socket.write("x");
  await first.heard.until(1);
  world.proxy.reset();
  assert.equal(await first.heard.over.promise, "ECONNRESET");
  assert.equal(await world.got.over.promise, "ECONNRESET");
  const next = await world.connect();
  next.socket.write("x");
  await next.heard.until(1);
});

Deno.test("TcpProxy swallows one direction until it is mended", async () => {
  await using world = await makeWorld();
  const { socket, heard } = await world.connect();
  world.proxy.swallow("toClient");
  socket.write("lost");
  while (world.proxy.swallowed.toClient < 4) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await world.proxy.mend();
  socket.write("heard");
  await heard.until(5);
  assert.equal(heard.bytes, 5);
});

Deno.test("TcpProxy holds bytes and passes them on when it is mended", async () => {
  await using world = await makeWorld();
  const { socket, heard } = await world.connect();
  world.proxy.hold();
  socket.write("kept");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(world.got.bytes, 0);
  await world.proxy.mend();
  await heard.until(4);
});

Deno.test("TcpProxy tells the server nothing of a client that left while it swallows", async () => {
  await using world = await makeWorld();
  const { socket, heard } = await world.connect();
  socket.write("x");
  await heard.until(1);
  world.proxy.swallow();
  socket.destroy();
  await heard.over.promise;
  assert.equal(world.proxy.open, 1);
  await world.proxy.mend();
  await world.got.over.promise;
});

Deno.test("TcpProxy delays and throttles", async () => {
  await using world = await makeWorld();
  const { socket, heard } = await world.connect();
  const start = performance.now();
  world.proxy.delay(60, "toServer");
  socket.write("x");
  await heard.until(1);
  assert.ok(performance.now() - start >= 59);
  await world.proxy.mend();
  world.proxy.throttle(200, "toClient");
  const slow = performance.now();
  socket.write("x".repeat(40));
  await heard.until(41);
  assert.ok(performance.now() - slow >= 140);
});

Deno.test("TcpProxy refuses connections while it is cut", async () => {
  await using world = await makeWorld();
  const { heard } = await world.connect();
  await world.proxy.cut();
  await heard.over.promise;
  await assert.rejects(world.connect(), { code: "ECONNREFUSED" });
  await world.proxy.mend();
  await world.connect();
});
