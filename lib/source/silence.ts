/**
 * A board whose program runs and that says nothing: what it is called, and what is said of it.
 *
 * @module
 */

import { counted } from "../counted.ts";
import { formatDuration } from "../duration.ts";

/** What can be told apart of a board's silence. */
export type SilenceKind =
  /** Not a line comes. */
  | "no output"
  /** Log lines come, and no telemetry. */
  | "no telemetry";

/** A board that was expected to send telemetry, and does not. */
export interface Silence {
  readonly kind: SilenceKind;
  /** Since its last telemetry, or since its program was started. */
  readonly forMs: number;
  /** How often its program was started anew for it. */
  readonly restarts: number;
  /** Lines that came meanwhile. @default {0} */
  readonly lines?: number | undefined;
  /** One of them, short and harmless to a terminal, where one is known. */
  readonly sample?: string | undefined;
  /** What the operator can do, one sentence. */
  readonly todo: string;
}

/** A node that has spoken before, and does not while others do: its radio, its battery. */
export interface SilentNode {
  /** As in the catalogue: `node1`. */
  readonly node: string;
  /** Since its last reading. */
  readonly forMs: number;
}

/** What is known where a silence has to be explained. */
export interface SilenceFacts {
  readonly kind: SilenceKind;
  /** The program's name: `probe-rs`. */
  readonly program: string;
  /** It has printed something since the gateway was started. */
  readonly hasPrinted: boolean;
  /** The firmware panicked, and nothing came after it. */
  readonly panicked: boolean;
  /** What is to be done so that its lines become telemetry, where that is known. */
  readonly todo?: string | undefined;
}

/** What can be the cause of a silence, and what to do, one sentence. */
export function whatToDo(
  { kind, program, hasPrinted, panicked, todo }: SilenceFacts,
): string {
  if (panicked) {
    return "reset the board: its firmware panicked and has not gone on since, the log has the panic";
  }
  if (kind === "no telemetry") {
    return todo ??
      'compare "marker" in config.toml with what the firmware logs, and look at "iiot-gateway rejects"';
  }
  if (program !== "probe-rs") {
    return `look at what "${program}" waits for: "command" in config.toml starts it`;
  }
  return hasPrinted
    ? "check the board's power and reset it: its firmware has come to a halt, or its log no longer goes through RTT"
    : 'check that "firmware_path" in config.toml is the ELF file of the firmware on the board and that this logs through RTT: without its control block probe-rs is silent for ever';
}

/** The alarm. */
export function saySilence(
  program: string,
  { kind, forMs, lines: count = 0, sample, todo }: Silence,
): string {
  const such = sample === undefined ? "" : `, such as "${sample}"`;
  const lines = kind === "no output"
    ? "no line at all"
    : `only log lines, ${count} so far${such}`;
  return `No telemetry for ${
    formatDuration(forMs)
  }: "${program}" runs and prints ${lines}. To do: ${todo}`;
}

/** The end of it. */
export function sayTelemetry(
  { forMs, restarts }: Pick<Silence, "forMs" | "restarts">,
): string {
  const after = `Telemetry again after ${formatDuration(forMs)}`;
  return restarts === 0
    ? after
    : `${after} and ${counted(restarts, "restart")} for it`;
}

/** The alarm of a node. */
export function saySilentNode({ node, forMs }: SilentNode): string {
  return `No readings of "${node}" for ${
    formatDuration(forMs)
  }, while others come. To do: look at its power, and at the radio between it and the board`;
}
