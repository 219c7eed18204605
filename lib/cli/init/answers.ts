/**
 * What `iiot-gateway init` has to know: from flags, from answers at the terminal, or by default; each is
 * examined as the configuration itself will be.
 *
 * @module
 */

import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { LoadConfigOptions } from "../../config/config.ts";
import {
  faultOfValue,
  type OptionalTable,
  type TemplateValue,
} from "../../config/template.ts";
import type { Examine } from "./questions.ts";

/** The questions as a terminal asks them; without one, flags are all there is. */
export type Questions = typeof import("./questions.ts");

/** What the flags give. */
export interface InitFlags {
  readonly broker?: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly clientId?: string | undefined;
  readonly topicPrefix?: string | undefined;
  readonly influxdb?: string | undefined;
  readonly org?: string | undefined;
  readonly bucket?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly probe?: string | undefined;
  readonly chip?: string | undefined;
  readonly firmware?: string | undefined;
  readonly command?: string | undefined;
  /** What has a default takes it, without a question. */
  readonly yes: boolean;
}

/** A secret that was typed, for a file of its own. */
export interface NewSecret {
  readonly file: string;
  readonly text: string;
}

/** A value that is one line of config.toml. */
export interface Wanted {
  /** `--broker` */
  readonly flag: string;
  readonly given: string | undefined;
  /** `mqtt.broker_url` */
  readonly key: string;
  /** What is asked for. */
  readonly what: string;
  /** What it is unless it is given; "": nothing can be. */
  readonly fallback: string;
  /** Whether the fallback is taken where nobody can be asked. @default {false} */
  readonly isOptional?: boolean;
  /** Beside what the configuration says of it. */
  readonly examine?: Examine;
}

/** Options for {@linkcode InitAnswers}. */
export interface InitAnswersOptions {
  /** The file that is going to be. */
  readonly config: string;
  readonly flags: InitFlags;
  readonly questions: Questions | undefined;
  readonly environment: Pick<LoadConfigOptions, "env" | "hostname">;
}

/** "none" in place of an address: nothing is sent there. */
export const NONE = "none";

/** For the time in which a configuration is only looked at. */
export const STAND_INS: ReadonlyMap<string, string> = new Map([
  ["INFLUXDB_TOKEN", "token"],
  ["MQTT_PASSWORD", "password"],
]);

const SECRET_KEYS = ["mqtt.password", "influxdb.token"];
const OPTIONAL_KEYS = ["mqtt.broker_url", "influxdb.url"];

/** Gathers the answers, in the order of config.toml. */
export class InitAnswers {
  readonly values = new Map<string, TemplateValue | undefined>();
  readonly without: OptionalTable[] = [];
  readonly secrets: NewSecret[] = [];
  /** Environment variables that have to be set, and are not. */
  readonly unset: string[] = [];
  /** The flag of a key that takes its value from one: `mqtt.broker_url` → `--broker`. */
  readonly flagOf = new Map<string, string>();
  /** Sentences on what will have to be done. */
  readonly remarks: string[] = [];
  /** What is wrong with flags. */
  readonly faults: string[] = [];
  /** Flags that nobody gave. */
  readonly missing: string[] = [];
  readonly flags: InitFlags;
  readonly questions: Questions | undefined;
  /** The file that is going to be, as it was named. */
  readonly config: string;
  /** Reads the environment. */
  readonly env: (name: string) => string | undefined;
  readonly hostname: string;
  readonly #options: LoadConfigOptions;

  constructor({ config, flags, questions, environment }: InitAnswersOptions) {
    this.flags = flags;
    this.questions = questions;
    this.config = config;
    this.env = environment.env;
    this.hostname = environment.hostname();
    this.#options = {
      hostname: environment.hostname,
      // A secret that is not there yet is not what is wrong with another value.
      env: (name) => environment.env(name) ?? STAND_INS.get(name),
    };
  }

  /** Where the file is going to be; absolute. */
  get folder(): string {
    return dirname(resolve(this.config));
  }

  /** One value, and its line. Where it is neither there nor can be asked for, its flag is missing. */
  async value(wanted: Wanted): Promise<string> {
    const { flag, given, key, what, fallback, isOptional = false } = wanted;
    const examine: Examine = async (value) =>
      value === "" ? "must be given" : await wanted.examine?.(value) ??
        (value === NONE && OPTIONAL_KEYS.includes(key)
          ? undefined
          : await this.faultOf(key, value));
    let value = given ?? fallback;
    if (given !== undefined) {
      const fault = await examine(given);
      if (fault !== undefined) this.faults.push(`${flag} ${fault}`);
    } else if (this.questions !== undefined) {
      value = await this.questions.askText(what, fallback, examine);
    } else if (fallback === "" || !(isOptional || this.flags.yes)) {
      this.missing.push(`${flag.padEnd(16)} ${what}`);
    }
    this.values.set(key, value);
    if (given !== undefined) this.flagOf.set(key, flag);
    return value;
  }

  /** A path as config.toml takes it: relative to its own folder, unless it is absolute. */
  pathInConfig(path: string): string {
    const home = this.env("HOME");
    const full = path.startsWith("~/") && home
      ? join(home, path.slice(2))
      : path;
    return isAbsolute(full) ? full : relative(this.folder, resolve(full));
  }

  /** What is wrong with a value, as the end of a sentence; undefined: nothing. */
  faultOf(key: string, value: string): Promise<string | undefined> {
    const options = SECRET_KEYS.includes(key)
      // The one in the environment would be looked at in its place.
      ? { ...this.#options, env: () => undefined }
      : this.#options;
    return faultOfValue(key, value, this.config, options);
  }
}
