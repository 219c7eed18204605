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

/** A value that walks at random within its bounds; all in tenths, as the firmware prints them. */
interface Walk {
  tenths: number;
  readonly min: number;
  readonly max: number;
  /** The largest step from one packet to the next. */
  readonly step: number;
}

/** What the firmware puts behind each of its lines. */
const SOURCE = "wk5_gateway_firmware wk5-gateway-firmware/src/main.rs";
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
    return logLine(
      "INFO",
      "Gateway firmware started, listening on 868 MHz",
      212,
    );
  }

  /**
   * The lines that the next LoRa packet makes the firmware print. The last of them is the telemetry,
   * always with nine metrics.
   */
  packet(): string[] {
    const lines: string[] = [];
    this.#ts = (this.#ts + this.#stepMs) >>> 0;
    for (const one of this.#walks) this.#move(one);
    if (this.#random() < 1 / CRC_ERROR_EVERY) {
      this.#crcErrors++;
      lines.push(
        logLine(
          "WARN",
          `LoRa packet dropped: CRC error (${this.#crcErrors} so far)`,
          431,
        ),
      );
    }
    this.#received++;
    const { rssi, snr } = this.#signal;
    lines.push(
      logLine(
        "DEBUG",
        `LoRa packet received: RSSI ${whole(rssi)} dBm, SNR ${whole(snr)} dB`,
        448,
      ),
      logLine("INFO", `JSON sent via VCP: ${this.#json()}\\n`, 573),
    );
    return lines;
  }

  #json(): string {
    const { t, h, g } = this.#n1;
    const n1 = `{"t":${tenths(t)},"h":${tenths(h)},"g":${whole(g)}}`;
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

function logLine(
  level: "DEBUG" | "INFO" | "WARN",
  text: string,
  line: number,
): string {
  return `[${level}] ${text} (${SOURCE}:${line})`;
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
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
