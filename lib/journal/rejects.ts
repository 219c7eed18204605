/**
 * What could not be used, and what an operator does with it once the cause is mended.
 *
 * - A sink's reject is one reading; sent again it goes back to that sink alone, among its parked
 *   readings, and is booked as `requeued`.
 * - A source's reject is a line. Who knows lines reads it anew; what is usable now is appended as a
 *   packet of the time at which the line was read, and never takes the place of a newer value.
 * - A reject is gone in the transaction that brings back what was in it. What is still unusable
 *   stays, with its reason.
 *
 * @module
 */

import type { TelemetryPacket, Value } from "../model.ts";
import type { Account } from "./accounts.ts";
import type { Boards } from "./boards.ts";
import type { AsyncDisk, KeptReject } from "./disk.ts";
import type { Pending } from "./pending.ts";

/** Rejects read, and handled, at once. */
const PAGE = 200;

/** Which rejects; all that is given must fit. */
export interface RejectFilter {
  readonly ids?: readonly number[] | undefined;
  /** `source`, or a sink's name. */
  readonly origin?: string | undefined;
  /** Microseconds since 1970, included. */
  readonly sinceUs?: number | undefined;
}

/** Whether `reject` is one of those that `filter` means. */
export function isMeant(
  reject: KeptReject,
  { ids, origin, sinceUs = -Infinity }: RejectFilter,
): boolean {
  return (ids === undefined || ids.includes(reject.id)) &&
    (origin === undefined || reject.origin === origin) &&
    reject.timeUs >= sinceUs;
}

/** A line that was read anew. */
export type SecondReading =
  | {
    readonly packet: TelemetryPacket;
    /** The ledger has these readings as received and dropped already: they come again. */
    readonly counted: boolean;
    /** Why each of `packet.dropped` is a reject of its own. */
    readonly reasons: readonly string[];
  }
  /** It is as unusable as before. */
  | null;

/** What became of rejects that were to be sent again. */
export interface Resent {
  /** Lines that became packets, and the readings in these. */
  readonly packets: number;
  readonly readings: number;
  /** Readings that went back to a sink, by its name. */
  readonly returned: Readonly<Record<string, number>>;
  /** Lines that are still unusable. */
  readonly unusable: number;
  /** Rejects of sinks that the configuration does not have. */
  readonly strange: number;
  /** No room for them now: they can be sent again later. */
  readonly noRoom: number;
}

/** What rejects need of their journal. */
export interface RejectsHost {
  readonly disk: Pick<AsyncDisk, "rejects">;
  readonly pending: Pick<Pending, "unrejected" | "urgent">;
  readonly boards: Pick<Boards, "seqOf">;
  readonly accounts: { readonly active: readonly Account[] };
  /** Appends what a reject held, at its own time. @returns false if there is no room in memory */
  appendLate(
    reject: KeptReject,
    reading: NonNullable<SecondReading>,
  ): boolean;
  /** Comes when everything that is known now is on the disk. */
  flush(): Promise<void>;
}

/** The rejects of a journal. */
export class Rejects {
  readonly #host: RejectsHost;

  constructor(host: RejectsHost) {
    this.#host = host;
  }

  /** Takes away those that are meant; comes with their number when the disk has done it. */
  async clear(filter: RejectFilter): Promise<number> {
    let count = 0;
    for await (const rejects of this.#pages(filter)) {
      count += rejects.length;
      this.#remove(rejects.map(({ id }) => id));
    }
    await this.#host.flush();
    return count;
  }

  /** Sends those that are meant again; comes when the disk has what that changes. */
  async resend(
    filter: RejectFilter,
    readAgain: (reject: KeptReject) => SecondReading,
  ): Promise<Resent> {
    const sum = { packets: 0, readings: 0, unusable: 0, strange: 0, noRoom: 0 };
    const returned: Record<string, number> = {};
    for await (const rejects of this.#pages(filter)) {
      for (const reject of rejects) {
        if (reject.origin !== "source") {
          const end = this.#giveBack(reject);
          if (end !== "returned") sum[end]++;
          else {
            returned[reject.origin] = (returned[reject.origin] ?? 0) + 1;
            this.#remove([reject.id]);
          }
          continue;
        }
        const again = readAgain(reject);
        if (again === null) sum.unusable++;
        else if (!this.#host.appendLate(reject, again)) sum.noRoom++;
        else {
          sum.packets++;
          sum.readings += again.packet.readings.length;
          this.#remove([reject.id]);
        }
      }
      // Memory holds so much before the disk, and the boards need it.
      await this.#host.flush();
    }
    return { ...sum, returned };
  }

  #giveBack(
    { origin, board, timeUs, body }: KeptReject,
  ): "returned" | "strange" | "noRoom" {
    const account = this.#host.accounts.active.find(({ name }) =>
      name === origin
    );
    if (account === undefined) return "strange";
    const [[path, value] = []] = Object.entries(
      JSON.parse(body) as Record<string, Value>,
    );
    if (path === undefined || value === undefined) return "strange";
    const seq = this.#host.boards.seqOf(board, path, timeUs);
    const reason = "Sent again by hand";
    return account.cursor.refused.requeue({
        seq,
        board,
        timeUs,
        path,
        value,
        reason,
      })
      ? "returned"
      : "noRoom";
  }

  #remove(ids: readonly number[]): void {
    this.#host.pending.unrejected.push(...ids);
    this.#host.pending.urgent = true;
  }

  /** Those that are meant and are there now, as far as they are: new ones are not looked at. */
  async *#pages(filter: RejectFilter): AsyncIterable<KeptReject[]> {
    await this.#host.flush();
    const { disk } = this.#host;
    const all: KeptReject[] = [];
    for (let after = 0;;) {
      const page = await disk.rejects(after, PAGE);
      after = page.at(-1)?.id ?? 0;
      all.push(...page.filter((reject) => isMeant(reject, filter)));
      if (page.length === 0) break;
    }
    for (let start = 0; start < all.length; start += PAGE) {
      yield all.slice(start, start + PAGE);
    }
  }
}
