/**
 * What the tests of programming share: a folder with its memory, a firmware file that is only a
 * name, and how a child tells of itself.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Failure } from "../../lib/source/failure.ts";
import { BoardFlash, FlashMemory } from "../../lib/source/flash_memory.ts";
import type { FlashRecord } from "../../lib/source/flash_file.ts";
import {
  Programming,
  type ProgrammingOptions,
  type StartConditions,
} from "../../lib/source/programming.ts";

export const TARGET = {
  probe_id: "0483:374b:0671",
  chip: "STM32F446RETx",
  firmware_path: "/srv/fw.elf",
};
export const never = new AbortController().signal;
/** What probe-rs prints on stderr once it has programmed, or found all equal. */
export const FINISHED = "     Finished in 1.23s";

/** What is remembered of a board, and lost with the test. */
export function forgetful(): BoardFlash {
  let record: FlashRecord = {
    programmed: null,
    begun: false,
    cycles: 0,
    likely_none: 0,
  };
  return new BoardFlash({
    read: () => record,
    write: (next) => void (record = next),
    save: () => Promise.resolve(),
  });
}

/** A firmware file whose content is a word. */
export class NamedFirmware {
  readonly path = TARGET.firmware_path;
  content = "one";

  read() {
    const sha256 = createHash("sha256").update(this.content).digest("hex");
    return Promise.resolve({ sha256, identity: this.content });
  }

  isStill(identity: string) {
    return Promise.resolve(identity === this.content);
  }
}

/** A gateway's part that programs one board; what it remembers lies in a folder of its own. */
export class FlashWorld implements AsyncDisposable {
  readonly folder: string;
  readonly file = new NamedFirmware();
  readonly #options: Partial<ProgrammingOptions>;
  #memory!: FlashMemory;
  programming!: Programming;

  private constructor(folder: string, options: Partial<ProgrammingOptions>) {
    this.folder = folder;
    this.#options = options;
  }

  static async make(
    options: Partial<ProgrammingOptions> = {},
  ): Promise<FlashWorld> {
    const world = new FlashWorld(await Deno.makeTempDir(), options);
    await world.#start();
    return world;
  }

  get flash() {
    return this.#memory.board("");
  }

  /** What is to be started; that is done. */
  async begin(
    conditions: Partial<StartConditions> = {},
  ): Promise<"run" | "attach" | Failure> {
    const command = await this.prepare(conditions);
    this.programming.started();
    return command;
  }

  /** What is to be started; nothing is. */
  async prepare(
    conditions: Partial<StartConditions> = {},
    signal = never,
  ): Promise<"run" | "attach" | Failure> {
    return await this.programming.begin(
      { comparesFirst: true, silentRestarts: 0, ...conditions },
      signal,
    );
  }

  /** The child tells that it has programmed, and that is on the disk. */
  async succeed(): Promise<void> {
    this.programming.takeStderr(FINISHED);
    await this.settled();
  }

  /** Comes when what a sign began is done. */
  async settled(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    await this.#memory[Symbol.asyncDispose]();
  }

  /** The gateway is killed, and another one starts. */
  async kill(options: Partial<ProgrammingOptions> = {}): Promise<void> {
    await this.#start(options);
  }

  /** The gateway ends in order, and another one starts. */
  async restart(options: Partial<ProgrammingOptions> = {}): Promise<void> {
    await this.#memory[Symbol.asyncDispose]();
    await this.#start(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#memory[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }

  async #start(options: Partial<ProgrammingOptions> = {}): Promise<void> {
    this.#memory = await FlashMemory.open(this.folder);
    this.programming = new Programming({
      target: TARGET,
      mode: "when-changed",
      reflashOnChange: false,
      flash: this.flash,
      file: this.file,
      ...this.#options,
      ...options,
    });
  }
}
