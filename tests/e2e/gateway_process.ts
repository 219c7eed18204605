/**
 * The real gateway as a process, with a folder and a config.toml of its own.
 *
 * @module
 */

import { join } from "node:path";
import type { Status } from "../../lib/monitor/status.ts";
import type { Program } from "../cli/program.ts";

/** What the gateway is configured with. */
export interface GatewaySetup {
  readonly program: Program;
  /**
   * Everything but `[journal]`, which lies in the folder of the test. Without a table `[clock]` the clock is
   * trusted: not every machine that tests says that its own is right.
   */
  readonly config: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a config.toml, and the gateway that may run there. */
export class GatewayProcess implements AsyncDisposable {
  readonly folder: string;
  readonly #setup: GatewaySetup;
  #child: Deno.ChildProcess | undefined;
  #stdout = "";
  #stderr = "";
  #drained: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, setup: GatewaySetup) {
    this.folder = folder;
    this.#setup = setup;
  }

  /** Makes the folder; nothing runs yet. */
  static async create(setup: GatewaySetup): Promise<GatewayProcess> {
    const folder = await Deno.makeTempDir({ prefix: "iiot-gateway-" });
    const clock = setup.config.includes("[clock]")
      ? ""
      : "\n[clock]\ntrust = true\n";
    const config = setup.config + clock;
    await Deno.writeTextFile(join(folder, "config.toml"), config);
    return new GatewayProcess(folder, setup);
  }

  /** What it has logged since it was started first. */
  get log(): string {
    return this.#stderr;
  }

  /** What it has printed since it was started first. */
  get output(): string {
    return this.#stdout;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts `run` with further arguments. */
  start(...args: string[]): void {
    const child = this.#spawn(["run", "--config", "config.toml", ...args]);
    this.#child = child;
    const decode = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) =>
      stream.pipeThrough(new TextDecoderStream());
    this.#drained = Promise.all([
      (async () => {
        for await (const text of decode(child.stdout)) this.#stdout += text;
      })(),
      (async () => {
        for await (const text of decode(child.stderr)) this.#stderr += text;
      })(),
    ]);
  }

  /** Waits for its end, and asks for it by `signal` first if there is one. */
  async end(signal?: Deno.Signal): Promise<number> {
    const child = this.#child;
    if (child === undefined) return 0;
    try {
      if (signal !== undefined) child.kill(signal);
    } catch (error) {
      // It has ended by itself, which must not hide why a test fails.
      if (!(error instanceof TypeError)) throw error;
    }
    const { code } = await child.status;
    await this.#drained;
    this.#child = undefined;
    return code;
  }

  /** Runs another command of the program in the same folder. */
  async run(...args: string[]): Promise<Ending> {
    const { code, stdout, stderr } = await this.#spawn(args).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: decode(stdout), stderr: decode(stderr) };
  }

  /** Starts another command of the program in the same folder; ending it is the caller's. */
  spawn(...args: string[]): Deno.ChildProcess {
    return this.#spawn(args);
  }

  /** `status --json` */
  async status(): Promise<Status> {
    const { stdout, stderr } = await this.run(
      "status",
      "--config",
      "config.toml",
      "--json",
    );
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as Status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await this.end("SIGKILL");
    await Deno.remove(this.folder, { recursive: true });
  }

  #spawn(args: readonly string[]): Deno.ChildProcess {
    const [program = "", ...first] = this.#setup.program.command;
    return new Deno.Command(program, {
      args: [...first, ...args],
      cwd: this.folder,
      env: { NO_COLOR: "1", ...this.#setup.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }
}

/**
 * Waits until `look` gives something.
 *
 * @throws {Error} with `what` if it has not after `timeoutMs`
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) {
      throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
