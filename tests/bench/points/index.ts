/**
 * The points of the bench, in the order of the table.
 *
 * @module
 */

import type { Point } from "../point.ts";
import { GROWTH } from "./growth.ts";
import { SD_CARD } from "./sd_card.ts";
import { THROUGHPUT } from "./throughput.ts";

/** Every point. */
export const POINTS: readonly Point[] = [THROUGHPUT, GROWTH, SD_CARD];
