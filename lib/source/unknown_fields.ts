/**
 * Fields of a board's packets that no `[[metric]]` names (`gateway.unknown_fields`).
 *
 * - `hint`: they are not sent; each is told once, as the lines to paste into config.toml.
 * - `publish`: they are sent as they are, the first 100 of them; none takes the topic or the series of
 *   another. Those that came before this process are among them: which are sent does not change with the
 *   order in which they come after a start.
 * - `ignore`: they are not sent, and nothing is said.
 *
 * What a board sends is anybody's, so each of these is bounded, whatever its keys are.
 *
 * @module
 */

import {
  type Catalogue,
  type Metric,
  STATE_TOPICS,
  topicOf,
} from "../catalogue.ts";
import { counted } from "../counted.ts";
import { fieldMetric } from "../field_metric.ts";
import {
  type Field,
  formatMetricTable,
  type MetricProposal,
  proposeMetrics,
} from "../metric_proposal.ts";
import { getBoardLogger } from "./board_log.ts";
import { escapeTricks } from "./firmware_text.ts";

/** What becomes of a field that no metric names. */
export type UnknownFieldsMode = "hint" | "publish" | "ignore";

/** Options for {@linkcode UnknownFields}. */
export interface UnknownFieldsOptions {
  readonly mode: UnknownFieldsMode;
  readonly catalogue: Catalogue;
  /** First levels below the board's own topics that are somebody else's. @default {none} */
  readonly foreignLevels?: Iterable<string> | undefined;
  /** Where readings stood that came before this process. @default {none} */
  readonly knownPaths?: Iterable<string> | undefined;
}

/** So many fields are told, or sent. */
const MAX_FIELDS = 100;

const log = getBoardLogger("source");

/** What is known of one board's unknown fields. */
export class UnknownFields {
  readonly #options: UnknownFieldsOptions;
  /** By the path of each field that was told. */
  readonly #told = new Map<string, MetricProposal>();
  /** By path; null: it is not sent. */
  readonly #sent = new Map<string, Metric | null>();
  readonly #foreignLevels: ReadonlySet<string>;
  /** What stands for a metric already: topics and series. */
  readonly #taken = new Set<string>();
  #isFull = false;

  constructor(options: UnknownFieldsOptions) {
    this.#options = options;
    this.#foreignLevels = new Set(options.foreignLevels);
    for (const topic of Object.values(STATE_TOPICS)) {
      this.#taken.add(`topic ${topic}`);
    }
    for (const metric of options.catalogue.values()) this.#take(metric);
    if (options.mode === "publish") this.#keepPlaces(options.knownPaths ?? []);
  }

  /** What becomes of them. */
  get mode(): UnknownFieldsMode {
    return this.#options.mode;
  }

  /** The metric as which a field is sent; undefined where it is not. */
  metricOf({ path }: Pick<Field, "path">): Metric | undefined {
    if (this.#options.mode !== "publish") return undefined;
    const known = this.#sent.get(path);
    if (known !== undefined) return known ?? undefined;
    if (this.#sent.size === MAX_FIELDS) {
      this.#sayFull("are not sent: name what is wanted with [[metric]]");
      return undefined;
    }
    const metric = this.#admit(path);
    if (typeof metric !== "string") {
      this.#sent.set(path, metric);
      return metric;
    }
    this.#sent.set(path, null);
    log.warning(
      "The field {path} is not sent: {why}. To do: give it a [[metric]] of its own",
      { path: escapeTricks(path.slice(0, 80)), why: metric },
    );
    return undefined;
  }

  /**
   * Fields of a packet that are not sent.
   *
   * @param isPacket whether others of its fields are
   */
  note(fields: readonly Field[], isPacket: boolean): void {
    if (this.#options.mode !== "hint") return;
    const all = fields.filter(({ path }) =>
      !this.#told.has(path) && fieldMetric(path) !== undefined
    );
    const fresh = all.slice(0, MAX_FIELDS - this.#told.size);
    if (fresh.length < all.length) {
      this.#sayFull("are not listed");
    }
    if (fresh.length === 0) return;
    const { catalogue } = this.#options;
    const taken = [
      ...catalogue.values(),
      ...[...this.#told.values()].map((one) => ({
        ...one,
        measurement: one.name,
      })),
    ];
    const proposals = proposeMetrics(fresh, taken);
    for (const one of proposals) this.#told.set(one.path, one);
    log[isPacket ? "info" : "warning"](
      'Not sent: {fields} of the board\'s packets that no [[metric]] names. To do: paste these lines into config.toml, correct what is guessed, and start the gateway anew; or set gateway.unknown_fields to "publish", which sends all fields as they are, or to "ignore"',
      {
        fields: counted(fresh.length, "field"),
        lines: proposals.flatMap((one) => formatMetricTable(one).split("\n")),
      },
    );
  }

  /** Sorted, so that of two which cannot both be it is always the same one. */
  #keepPlaces(paths: Iterable<string>): void {
    for (const path of [...paths].toSorted()) {
      if (this.#sent.size === MAX_FIELDS) return;
      if (this.#options.catalogue.has(path)) continue;
      // What cannot be sent any more is told if it comes.
      const metric = this.#admit(path);
      if (typeof metric !== "string") this.#sent.set(path, metric);
    }
  }

  /** The metric as which a field is sent from now on, or why it is not. */
  #admit(path: string): Metric | string {
    const metric = fieldMetric(path);
    if (metric === undefined) return "its path makes no topic";
    const topic = topicOf(metric);
    if (this.#foreignLevels.has(topic.split("/", 1)[0]!)) {
      return `its topic "${topic}" would be among those of another board, or of the past`;
    }
    if (this.#isTaken(metric)) {
      return `its topic "${topic}", or its series, is another one's already`;
    }
    this.#take(metric);
    return metric;
  }

  #isTaken(metric: Metric): boolean {
    return keysOf(metric).some((key) => this.#taken.has(key));
  }

  #take(metric: Metric): void {
    for (const key of keysOf(metric)) this.#taken.add(key);
  }

  #sayFull(what: string): void {
    if (this.#isFull) return;
    this.#isFull = true;
    log.warning(
      "The board sends more than {most} fields that no [[metric]] names: the others {what}",
      { most: MAX_FIELDS, what },
    );
  }
}

function keysOf(metric: Metric): string[] {
  const { measurement, node } = metric;
  return [
    `topic ${topicOf(metric)}`,
    `series ${JSON.stringify([measurement, node])}`,
  ];
}
