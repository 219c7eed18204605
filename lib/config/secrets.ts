/**
 * Where the two secrets come from: the environment, a systemd credential, a file of their own, or
 * config.toml, in this order.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { type Complaint, describeFileError } from "./fault.ts";
import type { Config } from "./schema.ts";
import { type Environment, lookUp } from "./variables.ts";

interface Secret {
  readonly table: "mqtt" | "influxdb";
  readonly key: string;
  /** The key that names a file. */
  readonly fileKey: string;
  readonly variable: string;
  /** The file below `$CREDENTIALS_DIRECTORY`, see systemd.exec(5), `LoadCredential=`. */
  readonly credential: string;
  readonly isRequired: boolean;
}

const SECRETS: readonly Secret[] = [
  {
    table: "mqtt",
    key: "password",
    fileKey: "password_file",
    variable: "MQTT_PASSWORD",
    credential: "mqtt_password",
    isRequired: false,
  },
  {
    table: "influxdb",
    key: "token",
    fileKey: "token_file",
    variable: "INFLUXDB_TOKEN",
    credential: "influxdb_token",
    isRequired: true,
  },
];

/** Stands for a secret that nobody needs: so short that it is hidden in no text. */
const NO_SECRET = "-";

/** Options for {@linkcode fillSecrets}. */
export interface FillSecretsOptions extends Environment {
  /** Folder of config.toml. */
  readonly folder: string;
  readonly readTextFile: (path: string) => Promise<string>;
  /** Tables of servers that are not connected to: their secrets are not looked for. @default {none} */
  readonly unused?: readonly Secret["table"][];
  /** A secret that cannot be had is no fault. @default {false} */
  readonly withoutLogin?: boolean;
}

/** What {@linkcode fillSecrets} found. */
export interface FilledSecrets {
  readonly complaints: readonly Complaint[];
  /** Where each secret comes from that does not stand in the file, by its key: `mqtt.password`. */
  readonly origins: ReadonlyMap<string, string>;
}

/** Puts the secrets into `data`, the parsed document, where the schema looks for them. */
export async function fillSecrets(
  data: Record<string, unknown>,
  options: FillSecretsOptions,
): Promise<FilledSecrets> {
  const complaints: Complaint[] = [];
  const origins = new Map<string, string>();
  for (const secret of SECRETS) {
    const table = data[secret.table];
    if (!isTable(table)) continue;
    const name = `${secret.table}.${secret.key}`;
    if (
      table[secret.key] !== undefined && table[secret.fileKey] !== undefined
    ) {
      const message =
        `"${name}" must not stand beside "${secret.table}.${secret.fileKey}"`;
      complaints.push({ path: [secret.table, secret.key], message });
    }
    const isUnused = options.unused?.includes(secret.table) ?? false;
    const looked = isUnused ? undefined : await find(secret, table, options);
    const isLacking = looked === undefined || "fault" in looked;
    const found = isLacking && options.withoutLogin ? undefined : looked;
    if (found === undefined) {
      const isNeedless = isUnused || options.withoutLogin;
      // The schema must not miss it.
      if (isNeedless && secret.isRequired) table[secret.key] ??= NO_SECRET;
      continue;
    }
    if ("fault" in found) {
      const path = [secret.table, found.key];
      complaints.push({ path, message: `"${path.join(".")}" ${found.fault}` });
      // The fault is told; without a value the schema would miss the key as well.
      table[secret.key] ??= "unreadable";
    } else {
      table[secret.key] = found.value;
      origins.set(name, found.origin);
      // From here on it names the file that the secret was really read from.
      if (found.file === undefined) delete table[secret.fileKey];
      else table[secret.fileKey] = found.file;
    }
  }
  return { complaints, origins };
}

/** What a token consists of: it goes into a header of HTTP. */
export const TOKEN_CHARACTERS = /^[\x21-\x7e]*$/;

/**
 * Reads a secret's file again while the gateway runs.
 *
 * @param characters what it has to consist of
 * @throws {Error} with what is wrong, fit for "the file …": `is empty`
 */
export async function rereadSecret(
  path: string,
  characters = /^/,
): Promise<string> {
  const { readTextFile } = Deno;
  const read = await readSecret(path, { readTextFile });
  if (!("value" in read)) throw new Error(read.fault);
  if (!characters.test(read.value)) {
    throw new Error("has other than visible ASCII characters in it");
  }
  return read.value;
}

/** Variables in `env` of a board whose values are hidden; what others hold, a port, would be missed in a log. */
const SECRET_VARIABLE = /PASS|PWD|TOKEN|SECRET|CREDENTIAL|KEY|AUTH/i;

/** A secret, and where the configuration has it. */
export interface NamedSecret {
  /** `influxdb.token` */
  readonly name: string;
  readonly text: string;
}

/** Every secret in `config` by its key, as written. */
export function namedSecrets(
  { mqtt, influxdb, boards }: Config,
): NamedSecret[] {
  const all = [
    ["mqtt.password", mqtt?.password],
    ["influxdb.token", influxdb?.token],
    ...(mqtt?.broker_url ?? []).map((url) => [
      "The password in mqtt.broker_url",
      new URL(url).password,
    ]),
    ...boards.flatMap(({ env = {} }) =>
      Object.entries(env)
        .filter(([name]) => SECRET_VARIABLE.test(name))
        .map(([name, value]) => [`The variable ${name} in env`, value])
    ),
  ];
  return all.flatMap(([name = "", text]) => text ? [{ name, text }] : []);
}

/** Every secret in `config`, so that logs can be cleaned of them: as written and as decoded. */
export function secretsOf(config: Config): string[] {
  const decoded = (config.mqtt?.broker_url ?? [])
    .map((url) => decodeURIComponent(new URL(url).password));
  const all = [...namedSecrets(config).map(({ text }) => text), ...decoded];
  return [...new Set(all)].filter((one) => one !== "");
}

type Found =
  | { readonly value: string; readonly origin: string; readonly file?: string }
  | { readonly fault: string; readonly key: string };

async function find(
  { key, fileKey, variable, credential }: Secret,
  table: Record<string, unknown>,
  options: FillSecretsOptions,
): Promise<Found | undefined> {
  const value = lookUp(variable, options);
  if (value !== undefined) {
    return { value, origin: `the environment variable ${variable}` };
  }

  const credentials = lookUp("CREDENTIALS_DIRECTORY", options);
  if (credentials !== undefined) {
    const path = join(credentials, credential);
    const read = await readSecret(path, options);
    if ("value" in read) {
      const origin = `the systemd credential ${credential}`;
      return { ...read, origin, file: path };
    }
    // A unit is given the credentials that it asks for, and need not ask for this one.
    if (!read.missing) {
      return {
        key,
        fault: `must be in its systemd credential: "${path}" ${read.fault}`,
      };
    }
  }

  const file = table[fileKey];
  if (typeof file !== "string" || file === "") return undefined;
  const path = resolve(options.folder, file);
  const read = await readSecret(path, options);
  if ("value" in read) return { ...read, origin: fileKey, file: path };
  return {
    key: fileKey,
    fault: `must be a file with the secret in it: "${path}" ${read.fault}`,
  };
}

/** The secret in a file, without the line ends and the byte order mark that an editor adds. */
async function readSecret(
  path: string,
  { readTextFile }: Pick<FillSecretsOptions, "readTextFile">,
): Promise<{ value: string } | { fault: string; missing: boolean }> {
  try {
    const value = (await readTextFile(path)).replace(/^\uFEFF/, "").replace(
      /[\r\n]+$/,
      "",
    );
    return value === "" ? { fault: "is empty", missing: false } : { value };
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    return { fault: describeFileError(error), missing };
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
