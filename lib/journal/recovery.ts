/**
 * What happened to a journal that could not simply be opened, and the words for it.
 *
 * @module
 */

/** What was done about a journal's files. */
export interface Recovery {
  /**
   * - `damaged`: it was put aside, and what could be read was brought into a new one.
   * - `rows`: packets in it could not be read and were removed.
   * - `rescued`: its newest packets were found in the log, where SQLite did not see them, or not at all.
   * - `newer`: a newer version wrote it; it was put aside.
   * - `adopted`: a file that was put aside before was taken over.
   */
  readonly kind: "damaged" | "rows" | "rescued" | "newer" | "adopted";
  /** What was wrong: `file is not a database`. */
  readonly fault: string;
  /** Where the file lies that this is about. */
  readonly path: string;
  /** Packets that were salvaged, removed, rescued or taken over. */
  readonly packets: number;
  /** Readings that each sink has not had and that are nowhere: they are booked as `corrupt`. */
  readonly missing: Readonly<Record<string, number>>;
  /** Older damaged files that were removed for it. */
  readonly removed: readonly string[];
}

/** A recovery for the log. */
export interface RecoveryMessage {
  readonly level: "error" | "info";
  /** In plain words; with placeholders for {@linkcode RecoveryMessage.values}. */
  readonly text: string;
  readonly values: Record<string, unknown>;
}

const TEXTS: Readonly<Record<Recovery["kind"], string>> = {
  damaged:
    "The journal was damaged ({fault}). {packets} packets were salvaged into a new one, {missing}. The old files were put aside as {path}",
  rows:
    "The journal {path} holds packets that cannot be read ({fault}): {packets} of them were removed. Their readings are booked as corrupt",
  rescued:
    "The end of the journal {path} was lost ({fault}): {packets} packets of it were rescued, {missing}",
  newer:
    "A newer version of this program wrote the journal ({fault}). It was put aside as {path}, and a new one is begun. What waits in it goes out once a newer version runs again",
  adopted:
    "The journal {path}, which was put aside before, was taken over: {packets} packets, {missing}",
};

/** Says what happened. */
export function describeRecovery(recovery: Recovery): RecoveryMessage {
  const { kind, fault, path, packets, removed } = recovery;
  const missing = sayMissing(recovery.missing);
  const harmless = kind === "adopted" || kind === "rescued";
  const level = harmless && missing === NOTHING ? "info" : "error";
  const text = TEXTS[kind] +
    (removed.length > 0 ? ". To make room, {removed} was removed" : "");
  return {
    level,
    text,
    values: { fault, path, packets, missing, removed: removed.join(", ") },
  };
}

const NOTHING = "and nothing is missing";

function sayMissing(missing: Recovery["missing"]): string {
  const parts = Object.entries(missing).filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} readings are missing for ${name}`);
  return parts.length === 0 ? NOTHING : parts.join(", ");
}
