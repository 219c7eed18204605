/**
 * Fields of a board's packets that no `[[metric]]` names (`gateway.unknown_fields`).
 *
 * - `hint`: they are not sent; each is told once, as the lines to paste into config.toml.
 * - `publish`: they are sent as they are, the first 100 of them; none takes the topic or the series of
 *   another, and none makes a database refuse what a `[[metric]]` names.
 * - `ignore`: they are not sent, and nothing is said.
 *
 * What a board sends is anybody's, so each of these is bounded, whatever its keys are.
 *
 * @module
 */

import {
  type Catalogue,
  type Metric,
  type MetricType,
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
  /** Values go to a database that keeps one type for each measurement. @default {false} */
  readonly hasTypes?: boolean | undefined;
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
  /** Of the values in each measurement of a metric that is named, where that matters. */
  readonly #types = new Map<string, MetricType>();
  #isFull = false;

  constructor(options: UnknownFieldsOptions) {
    this.#options = options;
    this.#foreignLevels = new Set(options.foreignLevels);
    for (const topic of Object.values(STATE_TOPICS)) {
      this.#taken.add(`topic ${topic}`);
    }
    for (const metric of options.catalogue.values()) {
      this.#take(metric);
      if (!options.hasTypes) continue;
      this.#types.set(metric.measurement, metric.type ?? "number");
    }
  }

  /** The metric as which a field is sent; undefined where it is not. */
  metricOf(field: Field): Metric | undefined {
    if (this.#options.mode !== "publish") return undefined;
    const { path } = field;
    const known = this.#sent.get(path);
    if (known !== undefined) return known ?? undefined;
    if (this.#sent.size === MAX_FIELDS) {
      this.#sayFull("are not sent: name what is wanted with [[metric]]");
      return undefined;
    }
    const metric = this.#admit(field);
    this.#sent.set(path, metric);
    return metric ?? undefined;
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

  #admit({ path, value }: Field): Metric | null {
    const metric = fieldMetric(path);
    const refuse = (why: string) => {
      log.warning(
        "The field {path} is not sent: {why}. To do: give it a [[metric]] of its own",
        { path: escapeTricks(path.slice(0, 80)), why },
      );
      return null;
    };
    if (metric === undefined) return refuse("its path makes no topic");
    const topic = topicOf(metric);
    if (this.#foreignLevels.has(topic.split("/", 1)[0]!)) {
      return refuse(
        `its topic "${topic}" would be among those of another board, or of the past`,
      );
    }
    if (this.#isTaken(metric)) {
      return refuse(
        `its topic "${topic}", or its series, is another one's already`,
      );
    }
    const type = this.#types.get(metric.measurement);
    if (type !== undefined && type !== typeof value) {
      return refuse(
        `its measurement "${metric.measurement}" is also that of a [[metric]] of the type "${type}", and InfluxDB, which keeps one type, could refuse that one for it`,
      );
    }
    this.#take(metric);
    // Nor may it have another one later: a new shard takes the type that comes first.
    return type === undefined ? metric : { ...metric, type };
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
