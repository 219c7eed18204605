import assert from "node:assert/strict";
import { join } from "node:path";
import { ask, Unreachable } from "../../lib/control/client.ts";
import { connectTo, readAddress } from "../../lib/control/endpoint.ts";
import { formatRequest } from "../../lib/control/protocol.ts";
import {
  ControlServer,
  type ControlServerOptions,
  MAX_CLIENTS,
  MAX_REQUEST_BYTES,
  type Perform,
} from "../../lib/control/server.ts";
import { makeFolder } from "../journal/world.ts";

const STATUS = { do: "status" } as const;
const CLEAR = { do: "clear" } as const;

const echo: Perform = (command) => Promise.resolve({ command });

function openServer(
  folder: string,
  options: Partial<ControlServerOptions> = {},
) {
  return ControlServer.open(folder, { perform: echo, ...options });
}

/** A connection of one's own. */
async function connect(folder: string): Promise<Deno.Conn> {
  const address = await readAddress(folder);
  assert.ok(address);
  return await connectTo(folder, address);
}

async function readAll(connection: Deno.Conn): Promise<string> {
  return await new Response(connection.readable).text().catch(() => "");
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name).sort();
}

function modeOf(path: string): string {
  return ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8);
}

async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 1));
}

for (const transport of ["unix", "loopback"] as const) {
  Deno.test(`ControlServer carries out a command and says how far it is (${transport})`, async () => {
    await using folder = await makeFolder();
    await using _server = await openServer(folder.path, {
      transport,
      perform: (command, { onProgress }) => {
        onProgress(0.5);
        return Promise.resolve({ command });
      },
    });
    const steps: number[] = [];
    const result = await ask(folder.path, CLEAR, {
      onProgress: (part) => steps.push(part),
    });
    assert.deepEqual(result, { command: CLEAR });
    assert.deepEqual(steps, [0.5]);
  });

  Deno.test(`ControlServer answers with the error, causes and all (${transport})`, async () => {
    await using folder = await makeFolder();
    await using _server = await openServer(folder.path, {
      transport,
      perform: () =>
        Promise.reject(new Error("Cannot", { cause: new Error("Full") })),
    });
    await assert.rejects(ask(folder.path, STATUS), /^Error: Cannot: Full$/);
  });

  Deno.test(`ControlServer lives on whatever it is sent (${transport})`, async () => {
    await using folder = await makeFolder();
    await using server = await openServer(folder.path, { transport });
    const address = await readAddress(folder.path);
    assert.ok(address);
    const first = "token" in address ? `${address.token}\n` : "";
    const cases: [string, RegExp][] = [
      ["garbage\n", /must be a line of JSON/],
      ["null\n", /not as it must be/],
      ['{"version":1,"command":{"do":"explode"}}\n', /command\.do/],
      ['{"version":1,"command":{"do":"rewind","sink":7}}\n', /command\.sink/],
      ['{"version":2,"command":{"do":"status"}}\n', /understands version 1/],
      ["x".repeat(MAX_REQUEST_BYTES + 100_000), /^$/],
      ["", /^$/],
    ];
    for (const [text, answer] of cases) {
      const connection = await connect(folder.path);
      const sent = connection.write(new TextEncoder().encode(first + text))
        .then(async () => {
          if (text === "") await connection.closeWrite();
        }).catch(() => {});
      assert.match(await readAll(connection), answer);
      await sent;
    }
    await until(() => server.clients === 0);
    assert.deepEqual(await ask(folder.path, STATUS), { command: STATUS });
  });
}

Deno.test("ControlServer gives up those who send nothing, or never read", async () => {
  await using folder = await makeFolder();
  await using server = await openServer(folder.path, {
    withinMs: 50,
    perform: () => Promise.resolve("x".repeat(10_000_000)),
  });
  using _silent = await connect(folder.path);
  using deaf = await connect(folder.path);
  await deaf.write(new TextEncoder().encode(`${formatRequest(STATUS)}\n`));
  await until(() => server.clients > 0);
  await until(() => server.clients === 0);
});

Deno.test("ControlServer takes so many at once and closes the rest", async () => {
  await using folder = await makeFolder();
  const gate = Promise.withResolvers<void>();
  await using server = await openServer(folder.path, {
    perform: async () => {
      await gate.promise;
      return 1;
    },
  });
  const asked = Array.from(
    { length: MAX_CLIENTS },
    () => ask(folder.path, STATUS),
  );
  await until(() => server.clients === MAX_CLIENTS);
  await assert.rejects(ask(folder.path, STATUS), Unreachable);
  gate.resolve();
  await Promise.all(asked);
});

Deno.test("ControlServer tells a command that its asker has gone", async () => {
  await using folder = await makeFolder();
  const told = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using _server = await openServer(folder.path, {
    perform: async (_, { signal }) => {
      signal.addEventListener("abort", () => told.resolve());
      begun.resolve();
      await told.promise;
    },
  });
  const connection = await connect(folder.path);
  await connection.write(
    new TextEncoder().encode(`${formatRequest(STATUS)}\n`),
  );
  await begun.promise;
  connection.close();
  await told.promise;
});

Deno.test("ControlServer sends an answer in parts, in order, until its asker hangs up", async () => {
  await using folder = await makeFolder();
  const gone = Promise.withResolvers<void>();
  await using _server = await openServer(folder.path, {
    perform: async (_, { signal, onPart }) => {
      signal.addEventListener("abort", () => gone.resolve());
      for (let i = 0; !signal.aborted; i++) await onPart(`line ${i}`);
    },
  });
  const parts: string[] = [];
  const hangUp = new AbortController();
  const asked = ask(folder.path, { do: "record", board: "" }, {
    signal: hangUp.signal,
    onPart: (part) => {
      if (parts.push(part) === 100) hangUp.abort();
      return Promise.resolve();
    },
  });
  await assert.rejects(asked, Unreachable);
  await gone.promise;
  assert.deepEqual(
    parts.slice(0, 100),
    Array.from({ length: 100 }, (_, i) => `line ${i}`),
  );
});

Deno.test("ControlServer that ends tells the command under way, and leaves no file", async () => {
  await using folder = await makeFolder();
  const begun = Promise.withResolvers<void>();
  const server = await openServer(folder.path, {
    perform: (_, { signal }) => {
      begun.resolve();
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      );
    },
  });
  const asked = assert.rejects(ask(folder.path, STATUS), Unreachable);
  await begun.promise;
  await server[Symbol.asyncDispose]();
  await asked;
  assert.deepEqual(await filesOf(folder.path), []);
  await assert.rejects(ask(folder.path, STATUS), Unreachable);
});

Deno.test("ControlServer can be reached by its own user only", async () => {
  await using folder = await makeFolder();
  await Deno.chmod(folder.path, 0o755);
  {
    await using _server = await openServer(folder.path);
    assert.deepEqual(await filesOf(folder.path), [
      "control.json",
      "control.sock",
    ]);
    assert.equal(modeOf(join(folder.path, "control.sock")), "600");
  }
  await using _server = await openServer(folder.path, {
    transport: "loopback",
  });
  assert.equal(modeOf(join(folder.path, "control.json")), "600");
  const address = await readAddress(folder.path);
  assert.ok(address && "token" in address);
  for (const token of ["", "x".repeat(36), "wrong"]) {
    const connection = await connect(folder.path);
    const question = `${token}\n${formatRequest(STATUS)}\n`;
    await connection.write(new TextEncoder().encode(question));
    assert.equal(await readAll(connection), "");
  }
});

Deno.test("ControlServer takes the place of one that was killed", async () => {
  await using folder = await makeFolder();
  const elsewhere = await Deno.makeTempDir({ prefix: "iiot-gateway-" });
  const left = join(elsewhere, "control.sock");
  for (const path of [left, join(folder.path, "control.sock")]) {
    await Deno.writeTextFile(path, "");
  }
  await Deno.mkdir(join(folder.path, ".control"));
  await Deno.writeTextFile(
    join(folder.path, "control.json"),
    JSON.stringify({ unix: left }),
  );
  await using _server = await openServer(folder.path);
  assert.deepEqual(await ask(folder.path, STATUS), { command: STATUS });
  await assert.rejects(Deno.stat(elsewhere), Deno.errors.NotFound);
});

Deno.test("ControlServer removes nothing that a forged address names", async () => {
  await using folder = await makeFolder();
  const victim = join(folder.path, "control.socket");
  await Deno.writeTextFile(victim, "precious");
  await Deno.writeTextFile(
    join(folder.path, "control.json"),
    JSON.stringify({ unix: victim }),
  );
  await using _server = await openServer(folder.path);
  assert.equal(await Deno.readTextFile(victim), "precious");
});

Deno.test("ControlServer listens elsewhere where the folder's path is too long for a socket", async () => {
  await using folder = await makeFolder();
  const deep = join(folder.path, "a".repeat(100));
  await Deno.mkdir(deep);
  let socket: string;
  {
    await using _server = await openServer(deep);
    const address = await readAddress(deep);
    assert.ok(address && "unix" in address);
    socket = address.unix;
    assert.equal(modeOf(join(socket, "..")), "700");
    assert.equal(modeOf(socket), "600");
    assert.deepEqual(await ask(deep, STATUS), { command: STATUS });
  }
  await assert.rejects(Deno.stat(join(socket, "..")), Deno.errors.NotFound);
  assert.deepEqual(await filesOf(deep), []);
});
