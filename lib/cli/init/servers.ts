/**
 * What `iiot-gateway init` has to know of the broker and of the database, and where their secrets are.
 *
 * @module
 */

import { dirname, join, resolve } from "node:path";
import { type OptionalTable, templateValue } from "../../config/template.ts";
import { type InitAnswers, NONE, type Questions } from "./answers.ts";

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

/** Asks for all that is about the servers. */
export async function askServers(answers: InitAnswers): Promise<void> {
  const { flags } = answers;
  const broker = await answers.value({
    flag: "--broker",
    given: flags.broker,
    key: "mqtt.broker_url",
    what: `MQTT broker: mqtt://HOST:PORT, mqtts:// for TLS, or "${NONE}"`,
    fallback: templateValue("mqtt.broker_url"),
    examine: (url) => Promise.resolve(faultOfUserInfo(url)),
  });
  if (broker === NONE) leaveOut(answers, "mqtt");
  else await askBroker(answers);
  const database = await answers.value({
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
  if (database === NONE) leaveOut(answers, "influxdb");
  else await askDatabase(answers);
}

async function askBroker(answers: InitAnswers): Promise<void> {
  const { flags, questions } = answers;
  await answers.value({
    flag: "--topic-prefix",
    given: flags.topicPrefix,
    key: "mqtt.topic_prefix",
    what: "Topic prefix: values go to PREFIX/NODE/NAME",
    fallback: templateValue("mqtt.topic_prefix"),
    isOptional: true,
  });
  await answers.value({
    flag: "--client-id",
    given: flags.clientId,
    key: "mqtt.client_id",
    what: "Client id: another one for every gateway at the same broker",
    fallback: clientIdOf(answers.hostname),
    isOptional: true,
  });
  const username = flags.username ??
    (questions === undefined ? "" : await questions.askText(
      "User name at the broker (Enter: none)",
      "",
      async (name) =>
        name === "" ? undefined : await answers.faultOf("mqtt.username", name),
    ));
  if (username === "") {
    if (flags.passwordFile !== undefined) {
      answers.faults.push("--password-file needs --username beside it");
    }
    return;
  }
  const fault = await answers.faultOf("mqtt.username", username);
  if (fault !== undefined) answers.faults.push(`--username ${fault}`);
  answers.values.set("mqtt.username", username);
  await askSecretOf(answers, {
    flag: "--password-file",
    given: flags.passwordFile,
    key: "mqtt.password",
    variable: "MQTT_PASSWORD",
    file: "mqtt_password",
    what: "password of the broker",
  });
}

async function askDatabase(answers: InitAnswers): Promise<void> {
  const { flags } = answers;
  await answers.value({
    flag: "--org",
    given: flags.org,
    key: "influxdb.org",
    what: "InfluxDB organization",
    fallback: templateValue("influxdb.org"),
  });
  await answers.value({
    flag: "--bucket",
    given: flags.bucket,
    key: "influxdb.bucket",
    what: "InfluxDB bucket",
    fallback: templateValue("influxdb.bucket"),
  });
  await askSecretOf(answers, {
    flag: "--token-file",
    given: flags.tokenFile,
    key: "influxdb.token",
    variable: "INFLUXDB_TOKEN",
    file: "influxdb_token",
    what: "token of InfluxDB",
  });
}

async function askSecretOf(
  answers: InitAnswers,
  secret: Secret,
): Promise<void> {
  const { flag, given, key, variable, what } = secret;
  // Nothing secret stands in the file itself.
  answers.values.set(key, undefined);
  const isSet = answers.env(variable) !== undefined;
  let file = given;
  if (file === undefined && answers.questions !== undefined) {
    const answer = await chooseSecret(
      answers,
      secret,
      answers.questions,
      isSet,
    );
    if (answer === null) return;
    file = answer;
  } else if (file !== undefined) {
    const fault = await faultOfFile(answers, file);
    if (fault !== undefined) answers.faults.push(`${flag} ${fault}`);
  } else if (!isSet && !answers.flags.yes) {
    answers.missing.push(
      `${flag.padEnd(16)} A file with the ${what}; or set ${variable}`,
    );
  }
  if (given !== undefined) answers.flagOf.set(`${key}_file`, flag);
  if (file !== undefined) {
    answers.values.set(`${key}_file`, answers.pathInConfig(file));
  } else if (!isSet) answers.unset.push(variable);
}

/** The file with the secret; undefined: it is in the environment; null: it was typed. */
async function chooseSecret(
  answers: InitAnswers,
  { key, variable, file, what }: Secret,
  { askChoice, askSecret, askText }: Questions,
  isSet: boolean,
): Promise<string | undefined | null> {
  const path = join(dirname(answers.config), file);
  const isThere = await Deno.lstat(path).then(() => true, () => false);
  const where = await askChoice(`Where is the ${what}?`, [
    isThere ? { value: "here", label: `In ${path}, which is there already` } : {
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
      (name) => faultOfFile(answers, name),
    );
  }
  const text = await askSecret(
    `The ${what} (it is not shown)`,
    (value) =>
      value === ""
        ? Promise.resolve("must be given")
        : answers.faultOf(key, value),
  );
  answers.secrets.push({ file: path, text });
  answers.values.set(`${key}_file`, file);
  return null;
}

async function faultOfFile(
  answers: InitAnswers,
  path: string,
): Promise<string | undefined> {
  if (path === "") return "must be given";
  const full = resolve(answers.folder, answers.pathInConfig(path));
  try {
    return (await Deno.readTextFile(full)).trim() === ""
      ? `must be a file with the secret in it: "${full}" is empty`
      : undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `must be a file with the secret in it, and "${full}" cannot be read (${why}): make it with (umask 077; cat > ${path}), type the secret, Enter, Ctrl-D`;
  }
}

function leaveOut(answers: InitAnswers, table: OptionalTable): void {
  answers.without.push(table);
  for (const key of [...answers.values.keys()]) {
    if (key.startsWith(`${table}.`)) answers.values.delete(key);
  }
}

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
