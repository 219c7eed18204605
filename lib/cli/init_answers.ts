/**
 * What `iiot-gateway init` has to know: from flags, from answers at the terminal, or by default; each is
 * examined as the configuration itself will be.
 *
 * @module
 */

import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { LoadConfigOptions } from "../config/config.ts";
import {
  faultOfValue,
  type OptionalTable,
  type TemplateValue,
  templateValue,
} from "../config/template.ts";
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

/** Gathers the answers, in the order of config.toml. */
export class InitAnswers {
  readonly values = new Map<string, TemplateValue | undefined>();
  readonly without: OptionalTable[] = [];
  readonly secrets: NewSecret[] = [];
  /** Environment variables that have to be set, and are not. */
  readonly unset: string[] = [];
  /** Sentences on what will have to be done. */
  readonly remarks: string[] = [];
  /** What is wrong with flags. */
  readonly faults: string[] = [];
  /** Flags that nobody gave. */
  readonly missing: string[] = [];
  readonly flags: InitFlags;
  readonly questions: Questions | undefined;
  readonly #config: string;
  readonly #env: (name: string) => string | undefined;
  readonly #options: LoadConfigOptions;

  constructor({ config, flags, questions, environment }: InitAnswersOptions) {
    this.flags = flags;
    this.questions = questions;
    this.#config = config;
    this.#options = {
      hostname: environment.hostname,
      // A secret that is not there yet is not what is wrong with another value.
      env: (name) => environment.env(name) ?? STAND_INS.get(name),
    };
    this.#env = environment.env;
  }

  /** Where the file is going to be; absolute. */
  get folder(): string {
    return dirname(resolve(this.#config));
  }

  /** Asks for all that is about the servers. */
  async askServers(): Promise<void> {
    const { flags } = this;
    const broker = await this.value({
      flag: "--broker",
      given: flags.broker,
      key: "mqtt.broker_url",
      what: `MQTT broker: mqtt://HOST:PORT, mqtts:// for TLS, or "${NONE}"`,
      fallback: templateValue("mqtt.broker_url"),
      examine: (url) => Promise.resolve(faultOfUserInfo(url)),
    });
    if (broker === NONE) this.#leaveOut("mqtt");
    else await this.#askBroker();
    const database = await this.value({
      flag: "--influxdb",
      given: flags.influxdb,
      key: "influxdb.url",
      what: `InfluxDB 2.x: http://HOST:PORT, https:// for TLS, or "${NONE}"`,
      fallback: templateValue("influxdb.url"),
      examine: (url) =>
        Promise.resolve(
          url === NONE && broker === NONE
            ? "must be an address: without broker and database nothing is sent anywhere"
            : undefined,
        ),
    });
    if (database === NONE) this.#leaveOut("influxdb");
    else await this.#askDatabase();
  }

  /** One value, and its line. Where it is neither there nor can be asked for, its flag is missing. */
  async value(wanted: Wanted): Promise<string> {
    const { flag, given, key, what, fallback, isOptional = false } = wanted;
    const examine: Examine = async (value) =>
      value === "" ? "must be given" : await wanted.examine?.(value) ??
        (value === NONE && OPTIONAL_KEYS.includes(key)
          ? undefined
          : await this.#faultOf(key, value));
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
    return value;
  }

  /** A path as config.toml takes it: relative to its own folder, unless it is absolute. */
  pathInConfig(path: string): string {
    const home = this.#env("HOME");
    const full = path.startsWith("~/") && home
      ? join(home, path.slice(2))
      : path;
    return isAbsolute(full) ? full : relative(this.folder, resolve(full));
  }

  async #askBroker(): Promise<void> {
    const { flags, questions } = this;
    await this.value({
      flag: "--topic-prefix",
      given: flags.topicPrefix,
      key: "mqtt.topic_prefix",
      what: "Topic prefix: values go to PREFIX/NODE/NAME",
      fallback: templateValue("mqtt.topic_prefix"),
      isOptional: true,
    });
    await this.value({
      flag: "--client-id",
      given: flags.clientId,
      key: "mqtt.client_id",
      what: "Client id: another one for every gateway at the same broker",
      fallback: clientIdOf(this.#options.hostname()),
      isOptional: true,
    });
    const username = flags.username ??
      (questions === undefined ? "" : await questions.askText(
        "User name at the broker (Enter: none)",
        "",
        async (name) =>
          name === "" ? undefined : await this.#faultOf("mqtt.username", name),
      ));
    if (username === "") {
      if (flags.passwordFile !== undefined) {
        this.faults.push("--password-file needs --username beside it");
      }
      return;
    }
    const fault = await this.#faultOf("mqtt.username", username);
    if (fault !== undefined) this.faults.push(`--username ${fault}`);
    this.values.set("mqtt.username", username);
    await this.#askSecret({
      flag: "--password-file",
      given: flags.passwordFile,
      key: "mqtt.password",
      variable: "MQTT_PASSWORD",
      file: "mqtt_password",
      what: "password of the broker",
    });
  }

  async #askDatabase(): Promise<void> {
    const { flags } = this;
    await this.value({
      flag: "--org",
      given: flags.org,
      key: "influxdb.org",
      what: "InfluxDB organization",
      fallback: templateValue("influxdb.org"),
    });
    await this.value({
      flag: "--bucket",
      given: flags.bucket,
      key: "influxdb.bucket",
      what: "InfluxDB bucket",
      fallback: templateValue("influxdb.bucket"),
    });
    await this.#askSecret({
      flag: "--token-file",
      given: flags.tokenFile,
      key: "influxdb.token",
      variable: "INFLUXDB_TOKEN",
      file: "influxdb_token",
      what: "token of InfluxDB",
    });
  }

  async #askSecret(secret: Secret): Promise<void> {
    const { flag, given, key, variable, what } = secret;
    // Nothing secret stands in the file itself.
    this.values.set(key, undefined);
    const isSet = this.#env(variable) !== undefined;
    let file = given;
    if (file === undefined && this.questions !== undefined) {
      const answer = await this.#chooseSecret(secret, this.questions, isSet);
      if (answer === null) return;
      file = answer;
    } else if (file !== undefined) {
      const fault = await this.#faultOfFile(file);
      if (fault !== undefined) this.faults.push(`${flag} ${fault}`);
    } else if (!isSet && !this.flags.yes) {
      this.missing.push(
        `${flag.padEnd(16)} A file with the ${what}; or set ${variable}`,
      );
    }
    if (file !== undefined) {
      this.values.set(`${key}_file`, this.pathInConfig(file));
    } else if (!isSet) this.unset.push(variable);
  }

  /** The file with the secret; undefined: it is in the environment; null: it was typed. */
  async #chooseSecret(
    { key, variable, file, what }: Secret,
    { askChoice, askSecret, askText }: Questions,
    isSet: boolean,
  ): Promise<string | undefined | null> {
    const path = join(dirname(this.#config), file);
    const isThere = await Deno.lstat(path).then(() => true, () => false);
    const where = await askChoice(`Where is the ${what}?`, [
      isThere
        ? { value: "here", label: `In ${path}, which is there already` }
        : {
          value: "typed",
          label: `I type it now: it goes into ${path}, for this user alone`,
        },
      { value: "file", label: "In another file" },
      {
        value: "variable",
        label: `In the environment variable ${variable}, ${
          isSet ? "which is set" : "which I will set"
        }`,
      },
    ]);
    if (where === "here") return path;
    if (where === "variable") return undefined;
    if (where === "file") {
      return await askText(
        "Which file?",
        "",
        (name) => this.#faultOfFile(name),
      );
    }
    const text = await askSecret(
      `The ${what} (it is not shown)`,
      (value) =>
        value === ""
          ? Promise.resolve("must be given")
          : this.#faultOf(key, value),
    );
    this.secrets.push({ file: path, text });
    this.values.set(`${key}_file`, file);
    return null;
  }

  async #faultOfFile(path: string): Promise<string | undefined> {
    if (path === "") return "must be given";
    const full = resolve(this.folder, this.pathInConfig(path));
    try {
      return (await Deno.readTextFile(full)).trim() === ""
        ? `must be a file with the secret in it: "${full}" is empty`
        : undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return `must be a file with the secret in it, and "${full}" cannot be read (${why}): make it with (umask 077; cat > ${path}), type the secret, Enter, Ctrl-D`;
    }
  }

  #faultOf(key: string, value: string): Promise<string | undefined> {
    const options = SECRET_KEYS.includes(key)
      // The one in the environment would be looked at in its place.
      ? { ...this.#options, env: () => undefined }
      : this.#options;
    return faultOfValue(key, value, this.#config, options);
  }

  #leaveOut(table: OptionalTable): void {
    this.without.push(table);
    for (const key of [...this.values.keys()]) {
      if (key.startsWith(`${table}.`)) this.values.delete(key);
    }
  }
}

interface Secret {
  readonly flag: string;
  readonly given: string | undefined;
  /** `influxdb.token`; the key of its file ends in `_file`. */
  readonly key: string;
  readonly variable: string;
  /** The file beside config.toml in which it is kept. */
  readonly file: string;
  readonly what: string;
}

const SECRET_KEYS = ["mqtt.password", "influxdb.token"];
const OPTIONAL_KEYS = ["mqtt.broker_url", "influxdb.url"];

/** For the time in which a configuration is only looked at. */
export const STAND_INS: ReadonlyMap<string, string> = new Map([
  ["INFLUXDB_TOKEN", "token"],
  ["MQTT_PASSWORD", "password"],
]);

/** `gateway-` and the machine's name, as far as brokers take it. */
function clientIdOf(hostname: string): string {
  const name = hostname.replace(/[^A-Za-z0-9_-]+/g, "-").replace(
    /^-+|-+$/g,
    "",
  );
  return `gateway-${name || "1"}`.slice(0, 64);
}

function faultOfUserInfo(url: string): string | undefined {
  const parsed = URL.parse(url);
  return parsed !== null && (parsed.username !== "" || parsed.password !== "")
    ? "must not hold a user name or a password: these are asked for by themselves (--username, --password-file)"
    : undefined;
}
