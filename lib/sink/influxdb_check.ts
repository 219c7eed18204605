/**
 * What InfluxDB says about our configuration.
 *
 * @module
 */

import { distance } from "fastest-levenshtein";
import type { InfluxdbConfig } from "../config/schema.ts";
import type { Finding } from "../model.ts";
import { urlLine } from "./influxdb_answers.ts";
import type { Language } from "./port_look.ts";
import type { Failure } from "./sink.ts";

const SUBJECT = "InfluxDB";
/** Organizations or buckets that are named. */
const MAX_NAMED = 5;

/** What a server says of its health: that it passes, nothing that counts, or why it cannot be used. */
export type Health = "passed" | "unsaid" | Failure;

/** What the check looks at. */
export interface InfluxdbCheck {
  readonly config: InfluxdbConfig;
  /** Whether to write {@linkcode testLine} too. */
  readonly writeTestPoint: boolean;
  /** A line that says of itself that it is a test. */
  readonly testLine: () => string;
  readonly health: () => Promise<Health>;
  /** Undefined when the line is stored. */
  readonly write: (line: string) => Promise<Failure | undefined>;
  /** The parsed answer to a GET; rejects where there is none. */
  readonly get: (path: string) => Promise<unknown>;
  readonly whatAnswers: (host: string, port: number) => Promise<Language>;
}

/** Looks at health, then at token, organization, bucket and permission by an empty write. */
export async function* checkInfluxdb(
  check: InfluxdbCheck,
): AsyncIterable<Finding> {
  const { url, org, bucket } = check.config;
  const health = await check.health();
  if (typeof health === "object") {
    yield await explainNoAnswer(health, check);
    return;
  }
  yield ok(
    health === "passed"
      ? "✅ InfluxDB health check passed!"
      : `${url} answers, without a word on its health`,
  );
  const refused = await check.write("");
  if (refused !== undefined) {
    yield await explainRefusal(refused, check);
    return;
  }
  yield ok(`May write to bucket "${bucket}" of organization "${org}"`);
  if (!check.writeTestPoint) return;
  const lost = await check.write(check.testLine());
  yield lost === undefined
    ? ok("✅ Test data point written!")
    : failed(lost, url);
}

/** No answer: perhaps because the other side speaks another language. */
async function explainNoAnswer(
  failure: Failure,
  { config: { url }, whatAnswers }: InfluxdbCheck,
): Promise<Finding> {
  const finding = failed(failure, url);
  if (failure.kind === "blocked") return finding;
  const { protocol, hostname, port } = new URL(url);
  const isTls = protocol === "https:";
  const language = await whatAnswers(
    hostname.replace(/^\[(.*)\]$/, "$1"),
    Number(port || (isTls ? 443 : 80)),
  );
  if (language === "TLS" && !isTls) {
    return {
      ...finding,
      detail: `What answers at ${url} speaks TLS, and "influxdb.url" does not`,
      hint: 'Begin "influxdb.url" with https://',
      fix: [urlLine(url, "https")],
    };
  }
  if (language === "MQTT") {
    return {
      ...finding,
      detail: `What answers at ${url} is an MQTT broker, not InfluxDB`,
      hint: 'Correct the port in "influxdb.url": InfluxDB has 8086',
    };
  }
  return finding;
}

/** The write is refused: perhaps because organization or bucket have other names. */
async function explainRefusal(
  failure: Failure,
  { config, get }: InfluxdbCheck,
): Promise<Finding> {
  const { url, org, bucket } = config;
  const finding = failed(failure, url);
  if (failure.kind !== "blocked") return finding;
  const orgs = await namesAt("/api/v2/orgs?limit=100", "orgs", get);
  if (orgs.length > 0 && !orgs.includes(org)) {
    return {
      ...finding,
      detail: `The token belongs to ${
        either("organization", orgs)
      }, and "influxdb.org" is "${org}": ${failure.message}`,
      hint:
        `Write the token's own organization into config.toml, or a token of "${org}"`,
      fix: nearest(org, orgs).map((name) => `org = ${JSON.stringify(name)}`),
    };
  }
  const path = `/api/v2/buckets?limit=100&org=${encodeURIComponent(org)}`;
  const buckets = (await namesAt(path, "buckets", get))
    .filter((name) => !name.startsWith("_"));
  // A token that may only write sees none, and its server says all the same what is missing.
  const isMissing = buckets.length > 0
    ? !buckets.includes(bucket)
    : failure.message.includes(`bucket "${bucket}" not found`);
  if (isMissing) {
    const create = `influx bucket create --org ${quote(org)} --name ${
      quote(bucket)
    }`;
    return {
      ...finding,
      detail: buckets.length === 0
        ? failure.message
        : `The organization "${org}" has no bucket "${bucket}", but ${
          either("bucket", buckets)
        }: ${failure.message}`,
      hint: "Make the bucket at the server, by its web page or the command" +
        ', or correct "influxdb.bucket"',
      fix: [
        create,
        ...nearest(bucket, buckets).map((name) =>
          `bucket = ${JSON.stringify(name)}`
        ),
      ],
    };
  }
  if (failure.fix !== undefined || !/\b403\b/.test(failure.message)) {
    return finding;
  }
  const fix = [
    `influx auth create --org ${quote(org)} --write-buckets`,
    'token = "…"',
  ];
  return {
    ...finding,
    hint:
      `${failure.hint}; or make one that has it, by the command at the server`,
    fix,
  };
}

/** The names in a list that the server gives; none where it gives no list. */
async function namesAt(
  path: string,
  key: string,
  get: InfluxdbCheck["get"],
): Promise<string[]> {
  try {
    const answer = await get(path) as Record<string, unknown> | null;
    const list = answer?.[key];
    return Array.isArray(list)
      ? list.map((one) => one?.name).filter((name) => typeof name === "string")
      : [];
  } catch {
    return [];
  }
}

function either(what: string, names: readonly string[]): string {
  const [first, ...others] = names;
  const more = names.length - MAX_NAMED;
  const all = names.slice(0, MAX_NAMED).map((name) => `"${name}"`).join(", ");
  return others.length === 0
    ? `the ${what} "${first}"`
    : `the ${what}s ${all}${more > 0 ? ` and ${more} more` : ""}`;
}

function nearest(name: string, names: readonly string[]): string[] {
  return names.toSorted((a, b) => distance(name, a) - distance(name, b))
    .slice(0, MAX_NAMED);
}

function quote(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function ok(detail: string): Finding {
  return { level: "ok", subject: SUBJECT, detail };
}

function failed(failure: Failure, url: string): Finding {
  const base = {
    level: "failed",
    subject: SUBJECT,
    detail: failure.message,
  } as const;
  if (failure.kind === "blocked") {
    const { hint, fix } = failure;
    return { ...base, hint, ...(fix && { fix }) };
  }
  return {
    ...base,
    hint:
      `Start InfluxDB at ${url} if it does not run, look at its log if it does, or correct "influxdb.url"; points are kept until it takes them`,
    fix: ["docker compose up -d influxdb", `curl -i ${quote(`${url}/health`)}`],
  };
}
