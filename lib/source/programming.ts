/**
 * When a board is programmed: its flash wears out, and a program that is programmed anew at every
 * start loses what it had measured.
 *
 * - `run`, which programs and resets, is only started where the flash is not known to hold the
 *   firmware file; else `attach`, which does neither.
 * - That the flash holds it is remembered at the first sign, not at the end of the child.
 * - A `run` whose end says nothing certain may have programmed: it counts, and `run` is next.
 *
 * @module
 */

import { counted } from "../counted.ts";
import { wait } from "../wait.ts";
import { getBoardLogger } from "./board_log.ts";
import { endedBeforeProgramming, type Failure } from "./failure.ts";
import { FirmwareFile, type FirmwareImage } from "./firmware_file.ts";
import { verbatim } from "./firmware_text.ts";
import type {
  BoardFlash,
  FlashReport,
  ProgrammedFirmware,
} from "./flash_memory.ts";
import type { ProbeRsCommand, ProbeRsTarget } from "./probe_rs_flags.ts";
import { normalizeSelector } from "./probe_list.ts";

/** `gateway.flash` */
export type FlashMode = "when-changed" | "always" | "never";

/** Options for {@linkcode Programming}. */
export interface ProgrammingOptions {
  readonly target: ProbeRsTarget;
  /** When the board is programmed (`gateway.flash`). */
  readonly mode: FlashMode;
  /** Whether a file that is replaced while the board runs is programmed at once. */
  readonly reflashOnChange: boolean;
  /** What is remembered of the board. */
  readonly flash: BoardFlash;
  /** @default {the file of the target} */
  readonly file?: Pick<FirmwareFile, "path" | "read" | "isStill">;
  /** Milliseconds that only grow. @default {performance.now} */
  now?(): number;
  /** Resolves after `ms`, or early when `signal` is aborted. @default {a timer} */
  wait?(ms: number, signal: AbortSignal): Promise<void>;
}

/** Why a start may program. */
export interface StartConditions {
  /** `run` programs only what differs. */
  readonly comparesFirst: boolean;
  /** How often in a row it was started anew because no telemetry came. */
  readonly silentRestarts: number;
}

/** A `run` that has not told yet that it is done. */
interface Run {
  readonly firmware: ProgrammedFirmware;
  readonly image: FirmwareImage;
  /** It is begun because the board is silent. */
  readonly forSilence: boolean;
  /** When its process was started; undefined before: it may be stopped before. */
  startedMs?: number;
}

/**
 * So many starts in vain, silent or without RTT, and the board behind the same probe may have been
 * swapped for one with another firmware, or with none.
 */
const SWAPPED_AFTER = 2;
/** The largest flash is written within that; a child that takes longer hangs. */
const WRITTEN_AFTER_MS = 300_000;
/** Between two looks at the file. */
const LOOK_MS = 10_000;
/** ` Finished in 1.23s`: programmed, or found equal. The same from 0.24 to 0.32. */
const FINISHED = /^\s*Finished in [\d.]+s/;
/** What 0.28 to 0.32.0 print before they ask which probe is meant: nothing is programmed then. */
const ASKS = "Available Probes:";

const log = getBoardLogger("source");

/** Decides between `run` and `attach`, start by start, for one board. */
export class Programming {
  readonly #options: ProgrammingOptions;
  readonly #file: NonNullable<ProgrammingOptions["file"]>;
  readonly #now: () => number;
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<void>;
  #run: Run | undefined;
  /** The child asks which probe is meant, and programs nothing. */
  #asks = false;
  /** Ends what a sign of success began. */
  #settling: Promise<void> = Promise.resolve();
  /** The hash with which probe-rs was started last; undefined before a start. */
  #startedWith: string | undefined;
  /** The hash of the replaced file that the log has heard of. */
  #said: string | undefined;
  /** A `run` of this process has succeeded. */
  #hasProgrammed = false;
  #triedInSilence = false;
  /** Starts in a row that found no RTT: 0.24 ends for it, where later ones are silent. */
  #withoutRtt = 0;

  constructor(options: ProgrammingOptions) {
    this.#options = options;
    this.#file = options.file ?? new FirmwareFile(options.target.firmware_path);
    this.#now = options.now ?? (() => performance.now());
    this.#wait = options.wait ?? wait;
  }

  /** Whether the flash may just be written: then the child is better left alone. */
  get isUnderWay(): boolean {
    const startedMs = this.#run?.startedMs;
    return startedMs !== undefined &&
      this.#now() - startedMs < WRITTEN_AFTER_MS;
  }

  /** What is known of the flash, and counted. */
  get report(): FlashReport {
    return this.#options.flash.report;
  }

  /**
   * What is to be started now. When it says `run`, the disk knows that already. Does not reject.
   *
   * @returns a failure where the firmware cannot be read
   */
  async begin(
    { comparesFirst, silentRestarts }: StartConditions,
    signal: AbortSignal,
  ): Promise<ProbeRsCommand | Failure> {
    await this.#settling;
    this.#giveUp();
    // Until it is known anew: what is about to start needs no restart.
    this.#startedWith = undefined;
    const { flash, mode, target } = this.#options;
    const image = await this.#file.read(signal);
    if ("kind" in image) return image;
    this.#startedWith = image.sha256;
    const inVain = Math.max(silentRestarts, this.#withoutRtt);
    if (inVain === 0) this.#triedInSilence = false;
    if (mode === "never") return "attach";
    const firmware: ProgrammedFirmware = {
      sha256: image.sha256,
      chip: target.chip,
      probe_id: target.probe_id === undefined
        ? null
        : normalizeSelector(target.probe_id),
    };
    const isThere = isSame(flash.programmed, firmware);
    const forSilence = inVain >= SWAPPED_AFTER && !this.#triedInSilence;
    // Without a comparison each start would wear the flash, and a bad cable makes thousands.
    const anyway = mode === "always" &&
      (comparesFirst || !this.#hasProgrammed);
    if (isThere && !forSilence && !anyway) return "attach";
    await flash.begin({ likelyNone: isThere && !forSilence && comparesFirst });
    this.#run = { firmware, image, forSilence };
    if (signal.aborted) this.#giveUp();
    return "run";
  }

  /** The child runs. */
  started(): void {
    if (this.#run !== undefined) this.#run.startedMs = this.#now();
  }

  /** Looks for the sign of success in a chunk of the child's stdout. */
  takeStdout(chunk: Uint8Array): void {
    this.#withoutRtt = 0;
    if (this.#run === undefined || this.#asks) return;
    const head = new TextDecoder().decode(chunk.subarray(0, ASKS.length));
    if (head === ASKS) this.#asks = true;
    else this.#succeed();
  }

  /** Looks for the sign of success in a line of the child's stderr. */
  takeStderr(line: string): void {
    if (FINISHED.test(line)) this.#succeed();
  }

  /** Takes how the child ended, where nobody ended it. */
  ended(failure: Failure): void {
    if (failure.kind === "no RTT") this.#withoutRtt++;
    this.#giveUp(endedBeforeProgramming(failure));
  }

  /** Looks at the file every 10 s, and calls `restart` if one that was replaced is to run at once. */
  async watch(
    restart: (why: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { mode, reflashOnChange } = this.#options;
    while (!signal.aborted) {
      await this.#wait(LOOK_MS, signal);
      if (signal.aborted || this.#startedWith === undefined) continue;
      if (this.isUnderWay) continue;
      const image = await this.#file.read(signal);
      const started = this.#startedWith;
      if (signal.aborted || started === undefined || "kind" in image) continue;
      const { sha256 } = image;
      if (sha256 === started || sha256 === this.#said) continue;
      this.#said = sha256;
      const what = `The firmware "${this.#file.path}" was replaced (${
        shortHash(started)
      } by ${shortHash(sha256)})`;
      if (mode === "never") {
        log.warning(
          verbatim(
            `${what}, and "flash" is "never": the board goes on with the one it has. To do: program it yourself, then restart the gateway; lines of one firmware cannot be read with another`,
          ),
        );
      } else if (reflashOnChange) restart(`${what}, the board is programmed`);
      else {
        log.warning(
          verbatim(
            `${what}: the board goes on with the one it has, and is programmed when probe-rs is started next. To do: restart the gateway to have it now, or set "reflash_on_change" in config.toml`,
          ),
        );
      }
    }
  }

  /** Takes the end of a run that has not told that it is done: one that was started may have programmed. */
  #giveUp(hasCertainlyNot = false): void {
    const run = this.#run;
    if (run !== undefined && (hasCertainlyNot || run.startedMs === undefined)) {
      this.#options.flash.spare();
    }
    this.#run = undefined;
    this.#asks = false;
  }

  #succeed(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    this.#settling = this.#remember(run);
  }

  async #remember({ firmware, image, forSilence }: Run): Promise<void> {
    // Replaced since it was read: nobody knows which of the two probe-rs took.
    if (!await this.#file.isStill(image.identity)) return;
    const { flash } = this.#options;
    await flash.succeed(firmware);
    this.#hasProgrammed = true;
    if (forSilence) this.#triedInSilence = true;
    const cycles = counted(flash.report.cyclesAtMost, "flash cycle");
    log.info(
      verbatim(
        `The board has the firmware ${
          shortHash(firmware.sha256)
        }, after ${cycles} at the most`,
      ),
    );
  }
}

/** Enough of a hash to tell two firmwares apart. */
function shortHash(sha256: string): string {
  return sha256.slice(0, 12);
}

function isSame(
  one: ProgrammedFirmware | undefined,
  other: ProgrammedFirmware,
): boolean {
  return one?.sha256 === other.sha256 && one.chip === other.chip &&
    one.probe_id === other.probe_id;
}
