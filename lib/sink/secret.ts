/**
 * A secret that may change while the gateway runs, because it stands in a file.
 *
 * - `value` is the one to use: it changes only for another one that the file really holds, and the log
 *   is told of that one before anybody can use it.
 * - The file is read only after a server has refused the secret: at once, and then every few seconds
 *   for as long as somebody waits for {@linkcode Secret.changed}.
 *
 * @module
 */

import { wait } from "../wait.ts";
import type { Failure } from "./sink.ts";

/** How often the file is read while a server refuses the secret, in milliseconds. */
const LOOK_MS = 5_000;

/** Options for {@linkcode Secret}. */
export interface SecretOptions {
  readonly value: string;
  /** The file that it was read from; absent where it stands in the environment or in config.toml. */
  readonly file?: string | undefined;
  /**
   * Reads the file.
   *
   * @throws {Error} with what is wrong with it, fit for "the file …": `is empty`
   */
  readonly read: (file: string) => Promise<string>;
  /** Is told another value before it is used: the log must hide it. */
  readonly hide: (value: string) => void;
  /** How often the file is read, in milliseconds. @default {5000} */
  readonly lookMs?: number;
}

/** A token or a password. */
export class Secret {
  readonly #options: SecretOptions;
  #value: string;
  /** What was wrong with the file the last time. */
  #fault: string | undefined;

  constructor(options: SecretOptions) {
    this.#options = options;
    this.#value = options.value;
  }

  /** A secret whose file is not looked at again. */
  static fixed(value: string, file?: string): Secret {
    const read = () => Promise.resolve(value);
    return new Secret({ value, file, read, hide() {} });
  }

  get value(): string {
    return this.#value;
  }

  /** Reads the file; true when it holds another value, which is the one from now on. */
  async renew(): Promise<boolean> {
    const { file, read, hide } = this.#options;
    if (file === undefined) return false;
    try {
      const value = await read(file);
      this.#fault = undefined;
      if (value === this.#value) return false;
      hide(value);
      this.#value = value;
      return true;
    } catch (error) {
      this.#fault = (error as Error).message;
      return false;
    }
  }

  /** Comes when the file holds another value, or when `signal` is aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    do await wait(this.#options.lookMs ?? LOOK_MS, signal); while (
      !signal.aborted && !await this.renew()
    );
  }

  /**
   * `failure`, by which a server refuses this secret, with what ends it.
   *
   * @param key what config.toml calls it: `influxdb.token`
   */
  refused(failure: Failure, key: string): Failure {
    if (failure.kind !== "blocked") return failure;
    const { file } = this.#options;
    if (file === undefined) {
      const hint =
        `${failure.hint}, and start the gateway again: config.toml and the environment are read at its start, "${key}_file" whenever what it holds is refused`;
      return { ...failure, hint };
    }
    const fault = this.#fault === undefined ? "" : `, which ${this.#fault}`;
    return {
      ...failure,
      hint:
        `${failure.hint}. It stands in "${file}"${fault}: that is read again by itself`,
      mended: (signal) => this.changed(signal),
    };
  }
}
