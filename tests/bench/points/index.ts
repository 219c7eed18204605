/**
 * The points of the bench, in the order of the table.
 *
 * @module
 */

import type { Point } from "../point.ts";
import { DELETING } from "./deleting.ts";
import { GROWTH } from "./growth.ts";
import { IDLE } from "./idle.ts";
import { LATENCY } from "./latency.ts";
import { HOUR, MEMORY } from "./memory.ts";
import { SD_CARD } from "./sd_card.ts";
import { START } from "./start.ts";
import { THROUGHPUT } from "./throughput.ts";

/** Every point. */
export const POINTS: readonly Point[] = [
  THROUGHPUT,
  MEMORY,
  HOUR,
  LATENCY,
  IDLE,
  START,
  GROWTH,
  DELETING,
  SD_CARD,
];
