/**
 * A stand-in for the gateway board: the lines that probe-rs would print of it.
 *
 * Only the seed and the step decide what it says, so a run can be repeated.
 *
 * @module
 */

/** Options for {@linkcode SimulatedBoard}. */
export interface SimulatedBoardOptions {
  /** The same seed gives the same board: an integer, of which 32 bits count. */
  readonly seed: number;
  /** Milliseconds on the board's clock from one packet to the next. */
  readonly stepMs: number;
}

/** A line of the firmware's log, before anybody has laid it out. */
export interface LogLine {
  readonly level: "DEBUG" | "INFO" | "WARN" | "ERROR";
  readonly text: string;
  /** The line of `file` that logs it. */
  readonly line: number;
  /** @default {CRATE} */
  readonly crate?: string;
  /** @default {SOURCE} */
  readonly file?: string;
}

/** What of the world outside a packet depends on. */
export interface PacketOptions {
  /** Node 1 is heard. @default {true} */
  readonly radio?: boolean;
}

/** A value that walks at random within its bounds; all in tenths, as the firmware prints them. */
interface Walk {
  tenths: number;
  readonly min: number;
  readonly max: number;
  /** The largest step from one packet to the next. */
  readonly step: number;
}

/** The firmware's crate, and the file that logs every line of it. */
export const CRATE = "wk5_gateway_firmware";
export const SOURCE = "wk5-gateway-firmware/src/main.rs";
/** What stands before the JSON of a packet. */
const MARKER = "JSON sent via VCP: ";
/** What the firmware logs when it starts. */
export const BOOT: LogLine = {
  level: "INFO",
  text: "Gateway firmware started, listening on 868 MHz",
  line: 212,
};
/** One packet in so many arrives damaged and is only counted. */
const CRC_ERROR_EVERY = 97;

/** One board, its two sensor nodes and its radio. */
export class SimulatedBoard {
  readonly #random: () => number;
  readonly #stepMs: number;
  #ts = 0;
  #received = 0;
  #crcErrors = 0;

  // Bounds are the values seen on the real board.
  readonly #n1 = {
    t: walk(26, 28, 0.2),
    h: walk(52, 56, 0.4),
    g: walk(80_000, 105_000, 400),
  };
  readonly #n2 = { t: walk(26, 28, 0.2), p: walk(1012, 1014, 0.1) };
  readonly #signal = { rssi: walk(-39, -30, 2), snr: walk(9, 13, 1) };
  readonly #walks = [this.#n1, this.#n2, this.#signal].flatMap((group) =>
    Object.values<Walk>(group)
  );

  constructor({ seed, stepMs }: SimulatedBoardOptions) {
    this.#random = mulberry32(seed);
    this.#stepMs = stepMs;
  }

  /** Lines without their newline, for ever: what the board says when it starts, then its packets. */
  *lines(): Generator<string, never> {
    yield this.boot();
    while (true) yield* this.packet();
  }

  /** The line that the firmware prints when it starts. */
  boot(): string {
    return printed(BOOT);
  }

  /** What {@linkcode log} gives, as probe-rs prints it. */
  packet(): string[] {
    return this.log().map(printed);
  }

  /**
   * The lines that the next LoRa packet makes the firmware log. The last of them is the telemetry, with
   * nine metrics as long as node 1 is heard.
   */
  log({ radio = true }: PacketOptions = {}): LogLine[] {
    const lines: LogLine[] = [];
    this.#ts = (this.#ts + this.#stepMs) >>> 0;
    for (const one of this.#walks) this.#move(one);
    if (this.#random() < 1 / CRC_ERROR_EVERY) {
      this.#crcErrors++;
      lines.push({
        level: "WARN",
        text: `LoRa packet dropped: CRC error (${this.#crcErrors} so far)`,
        line: 431,
      });
    }
    if (radio) {
      this.#received++;
      const { rssi, snr } = this.#signal;
      lines.push({
        level: "DEBUG",
        text: `LoRa packet received: RSSI ${whole(rssi)} dBm, SNR ${
          whole(snr)
        } dB`,
        line: 448,
      });
    }
    lines.push({
      level: "INFO",
      text: `${MARKER}${this.#json(radio)}\\n`,
      line: 573,
    });
    return lines;
  }

  #json(radio: boolean): string {
    const { t, h, g } = this.#n1;
    const n1 = radio
      ? `{"t":${tenths(t)},"h":${tenths(h)},"g":${whole(g)}}`
      : "{}";
    const n2 = `{"t":${tenths(this.#n2.t)},"p":${tenths(this.#n2.p)}}`;
    const sig = `{"rssi":${whole(this.#signal.rssi)},"snr":${
      whole(this.#signal.snr)
    }}`;
    const sts = `{"rx":${this.#received},"err":${this.#crcErrors}}`;
    return `{"ts":${this.#ts},"id":"N2","n1":${n1},"n2":${n2},"sig":${sig},"sts":${sts}}`;
  }

  #move(one: Walk): void {
    const next = one.tenths + Math.round((this.#random() * 2 - 1) * one.step);
    one.tenths = Math.min(one.max, Math.max(one.min, next));
  }
}

function printed({ level, text, line }: LogLine): string {
  return `[${level}] ${text} (${CRATE} ${SOURCE}:${line})`;
}

/** A walk that starts in the middle of its bounds. */
function walk(min: number, max: number, step: number): Walk {
  return {
    tenths: Math.round((min + max) * 5),
    min: min * 10,
    max: max * 10,
    step: step * 10,
  };
}

/** The value with its one decimal. */
function tenths({ tenths }: Walk): string {
  return (tenths / 10).toFixed(1);
}

/** The value as the integer that the board keeps it in. */
function whole({ tenths }: Walk): number {
  return Math.round(tenths / 10);
}

/** Tommy Ettinger's mulberry32: small, fast, and good enough for a room's temperature. */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
