/**
 * Fields that are sent as they are, though no `[[metric]]` names them: where each goes.
 *
 *     motor.phase[1].current → PREFIX/motor/phase/1/current, measurement "current", node "motor_phase_1"
 *
 * @module
 */

import type { Metric } from "./catalogue.ts";
import { MAX_PATH_LENGTH, parsePath } from "./field_path.ts";

/** What a level of a topic, or a tag, is not to hold: MQTT's wildcards and separator, and what is not to be seen. */
const UNFIT = /[+#/$\\\s\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]+/gu;
const MAX_LEVEL = 64;

/** The metric as which the field at `path` is sent; undefined where that cannot be. */
export function fieldMetric(path: string): Metric | undefined {
  const parts = parsePath(path);
  // No object can have such a key as its own, and a journal from before names no such metric.
  if (parts === undefined || parts.includes("__proto__")) return undefined;
  if (path.length > MAX_PATH_LENGTH) return undefined;
  const levels = parts.map((part) => levelOf(String(part)));
  const key = parts.findLastIndex((part) => typeof part === "string");
  const measurement = levels[Math.max(0, key)]!;
  return {
    path,
    node: levels.filter((_, i) => i !== key).join("_"),
    name: measurement,
    // InfluxDB keeps names that begin so for itself.
    measurement: measurement.replace(/^_+(?=.)/, "").replace(/^_$/, "field"),
    topic: levels.join("/"),
    unit: null,
    type: "any",
    retain: true,
    range: null,
  };
}

function levelOf(part: string): string {
  return [...part.replace(UNFIT, "_")].slice(0, MAX_LEVEL).join("") || "_";
}
