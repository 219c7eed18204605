/**
 * Where a running gateway listens for commands, known to those who may read the journal's folder.
 *
 * - `control.sock` in the folder, a Unix socket of mode 0600. It is made in a folder of mode 0700 and
 *   then moved, so that at no moment anybody else can connect.
 * - Where the folder's path is too long for a socket, one in the folder for temporary files.
 * - On Windows a port of the loopback address, and a token that the first line must bring.
 *
 * `control.json`, of mode 0600, says which. Only the holder of the journal's lock may listen: what it
 * finds is what a killed gateway has left, and is replaced.
 *
 * @module
 */

import { basename, dirname, isAbsolute, join, resolve } from "node:path";

/** Linux takes 107 bytes, macOS 103. */
const MAX_SOCKET_PATH = 103;
const SOCKET = "control.sock";
const ADDRESS = "control.json";
const WORKSHOP = ".control";
const TEMPORARY = "iiot-gateway-";

/** How commands reach a gateway; the file holds it as JSON. */
export type Address =
  | {
    /** The socket, relative to the journal's folder. */
    readonly unix: string;
  }
  | { readonly port: number; readonly token: string };

/** A place to listen at; disposing ends it and leaves nothing behind. */
export interface Endpoint extends AsyncDisposable {
  readonly listener: Deno.Listener;
  /** What the first line must be; undefined where the system keeps others out. */
  readonly token: string | undefined;
}

/** Options for {@linkcode openEndpoint}. */
export interface EndpointOptions {
  /** @default {"loopback" on Windows, else "unix"} */
  readonly transport?: "unix" | "loopback" | undefined;
}

/** Listens for the journal in `folder`, whose lock is ours. @throws {Error} if that cannot be done */
export async function openEndpoint(
  folder: string,
  { transport }: EndpointOptions = {},
): Promise<Endpoint> {
  await removeStale(folder);
  const workshop = join(folder, WORKSHOP);
  await Deno.mkdir(workshop, { mode: 0o700 });
  try {
    const usesPort = (transport ?? defaultTransport()) === "loopback";
    const { listener, address, left } = usesPort
      ? listenOnLoopback()
      : await listenOnSocket(folder, workshop);
    await Deno.writeTextFile(
      join(workshop, ADDRESS),
      JSON.stringify(address),
      { mode: 0o600 },
    );
    await Deno.rename(join(workshop, ADDRESS), join(folder, ADDRESS));
    return {
      listener,
      token: "token" in address ? address.token : undefined,
      async [Symbol.asyncDispose]() {
        listener.close();
        for (const path of [join(folder, ADDRESS), ...left]) await remove(path);
      },
    };
  } finally {
    await Deno.remove(workshop, { recursive: true });
  }
}

/** Where the gateway with the journal in `folder` listens; null if it does not. */
export async function readAddress(folder: string): Promise<Address | null> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, ADDRESS)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Connects to `address`. @throws {Error} if nobody listens there */
export async function connectTo(
  folder: string,
  address: Address,
): Promise<Deno.Conn> {
  return "unix" in address
    ? await Deno.connect({
      transport: "unix",
      path: resolve(folder, address.unix),
    })
    : await Deno.connect({ hostname: "127.0.0.1", port: address.port });
}

interface Listening {
  readonly listener: Deno.Listener;
  readonly address: Address;
  /** What is to be removed at the end, in order. */
  readonly left: readonly string[];
}

function listenOnLoopback(): Listening {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const token = crypto.randomUUID();
  const address = { port: listener.addr.port, token };
  return { listener, address, left: [] };
}

async function listenOnSocket(
  folder: string,
  workshop: string,
): Promise<Listening> {
  const socket = join(folder, SOCKET);
  const born = join(workshop, "s");
  if (Math.max(bytesOf(socket), bytesOf(born)) <= MAX_SOCKET_PATH) {
    const listener = await listenAt(born);
    await Deno.rename(born, socket);
    return { listener, address: { unix: SOCKET }, left: [socket] };
  }
  const elsewhere = await Deno.makeTempDir({ prefix: TEMPORARY });
  const path = join(elsewhere, SOCKET);
  const listener = await listenAt(path);
  return { listener, address: { unix: path }, left: [path, elsewhere] };
}

async function listenAt(path: string): Promise<Deno.Listener> {
  const listener = Deno.listen({ transport: "unix", path });
  try {
    await Deno.chmod(path, 0o600);
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener as unknown as Deno.Listener;
}

/** Removes what a killed gateway has left. */
async function removeStale(folder: string): Promise<void> {
  const address = await readAddress(folder).catch(() => null);
  await remove(join(folder, ADDRESS));
  await remove(join(folder, SOCKET));
  await Deno.remove(join(folder, WORKSHOP), { recursive: true }).catch(
    () => {},
  );
  if (address === null || !("unix" in address)) return;
  const path = address.unix;
  const isOurs = isAbsolute(path) && basename(path) === SOCKET &&
    basename(dirname(path)).startsWith(TEMPORARY);
  if (!isOurs) return;
  await remove(path);
  await remove(dirname(path));
}

async function remove(path: string): Promise<void> {
  // What is gone already, or cannot be removed, is of no use to anybody.
  await Deno.remove(path).catch(() => {});
}

function bytesOf(path: string): number {
  return new TextEncoder().encode(path).length;
}

function defaultTransport(): "unix" | "loopback" {
  return Deno.build.os === "windows" ? "loopback" : "unix";
}
