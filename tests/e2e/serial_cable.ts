/**
 * A serial cable that is not there: two pseudo terminals with socat between them.
 *
 * @module
 */

import { findProgram } from "../servers.ts";
import { eventually } from "./gateway_process.ts";

/** A serial port, and what is plugged into it. */
export class SerialCable implements AsyncDisposable {
  /** The port's device, while it is plugged in. */
  readonly port: string;
  readonly #folder: string;
  #socat: Deno.ChildProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    // Messages tell devices from files by where they are.
    this.port = `/dev/shm/${folder.split("/").at(-1)}-port`;
  }

  /** Makes a place for one; nothing is plugged in. */
  static async create(): Promise<SerialCable> {
    return new SerialCable(await Deno.makeTempDir({ prefix: "serial-" }));
  }

  /** Plugs the board in; comes back when the port is there. */
  async plug(): Promise<void> {
    const board = `${this.#folder}/board`;
    this.#socat = new Deno.Command(findProgram("socat"), {
      args: [
        `pty,raw,echo=0,link=${this.port}`,
        `pty,raw,echo=0,link=${board}`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await eventually(
      "the cable is plugged in",
      async () =>
        (await Promise.all(
          [this.port, board].map((path) =>
            Deno.stat(path).then(() => true, () => false)
          ),
        )).every((isThere) => isThere),
    );
  }

  /** Pulls the cable: whoever reads the port hears that it has gone. */
  async unplug(): Promise<void> {
    const socat = this.#socat;
    if (socat === undefined) return;
    this.#socat = undefined;
    socat.kill("SIGTERM");
    await socat.status;
  }

  /** The board sends this. */
  async send(what: string | Uint8Array): Promise<void> {
    const bytes = typeof what === "string"
      ? new TextEncoder().encode(what)
      : what;
    using port = await Deno.open(`${this.#folder}/board`, { write: true });
    for (let at = 0; at < bytes.length;) {
      at += await port.write(bytes.subarray(at));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unplug();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
