/**
 * What InfluxDB says about our configuration.
 *
 * @module
 */

import type { InfluxdbConfig } from "../config/schema.ts";
import type { Finding } from "../model.ts";
import type { Failure } from "./sink.ts";

const SUBJECT = "InfluxDB";

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
}

/** Looks at health, then at token, organization, bucket and permission by an empty write. */
export async function* checkInfluxdb(
  check: InfluxdbCheck,
): AsyncIterable<Finding> {
  const { url, org, bucket } = check.config;
  const health = await check.health();
  if (typeof health === "object") {
    yield failed(health, url);
    return;
  }
  yield ok(
    health === "passed"
      ? "✅ InfluxDB health check passed!"
      : `${url} answers, without a word on its health`,
  );
  const refused = await check.write("");
  if (refused !== undefined) {
    yield failed(refused, url);
    return;
  }
  yield ok(`May write to bucket "${bucket}" of organization "${org}"`);
  if (!check.writeTestPoint) return;
  const lost = await check.write(check.testLine());
  yield lost === undefined
    ? ok("✅ Test data point written!")
    : failed(lost, url);
}

function ok(detail: string): Finding {
  return { level: "ok", subject: SUBJECT, detail };
}

function failed(failure: Failure, url: string): Finding {
  const hint = failure.kind === "blocked"
    ? failure.hint
    : `Start InfluxDB at ${url} if it does not run, look at its log if it does, or correct "influxdb.url"; points are kept until it takes them`;
  return { level: "failed", subject: SUBJECT, detail: failure.message, hint };
}
