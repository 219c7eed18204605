/**
 * The firmware's ELF file: which one it is now, told by its hash.
 *
 * - A file that is still being written has no hash: it is read when it stays as it is.
 * - It is read again only when it was touched: each look is one `stat`.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { wait } from "../wait.ts";
import { type Failure, recognizeFailure } from "./failure.ts";

/** A firmware file as it was read. */
export interface FirmwareImage {
  /** In hex. */
  readonly sha256: string;
  /** Changes when the file is touched or replaced. */
  readonly identity: string;
}

/** Options for {@linkcode FirmwareFile}. */
export interface FirmwareFileOptions {
  /** Milliseconds since 1970, as files are stamped. @default {Date.now} */
  now?(): number;
  /** Resolves after `ms`, or early when `signal` is aborted. @default {a timer} */
  wait?(ms: number, signal: AbortSignal): Promise<void>;
}

/** A file that was not touched for so long is whole. */
const SETTLED_AFTER_MS = 2_000;
/** Between two looks at one that was. */
const LOOK_AGAIN_MS = 1_000;
/** A copy over a slow link takes its time; what goes on longer than this is no copy. */
const MAX_LOOKS = 120;

/** The file at one path. */
export class FirmwareFile {
  readonly path: string;
  readonly #options: Required<FirmwareFileOptions>;
  #known: FirmwareImage | undefined;

  /** @param path absolute */
  constructor(path: string, options: FirmwareFileOptions = {}) {
    this.path = path;
    this.#options = {
      now: options.now ?? (() => Date.now()),
      wait: options.wait ?? wait,
    };
  }

  /** The file as it is now, once it is whole; or why it cannot be had. */
  async read(signal: AbortSignal): Promise<FirmwareImage | Failure> {
    let last = "";
    try {
      for (let looks = 0; looks < MAX_LOOKS && !signal.aborted; looks++) {
        const { identity, touchedMs } = await this.#look();
        if (this.#known?.identity === identity) return this.#known;
        const age = Math.abs(this.#options.now() - touchedMs);
        if (age >= SETTLED_AFTER_MS || identity === last) {
          const sha256 = await hashOf(this.path);
          if (await this.isStill(identity)) {
            return this.#known = { sha256, identity };
          }
        }
        last = identity;
        await this.#options.wait(LOOK_AGAIN_MS, signal);
      }
    } catch (error) {
      return unusable(
        this.path,
        error instanceof Error ? error.message : `${error}`,
      );
    }
    return unusable(this.path, "it is still being written");
  }

  /** Whether nobody has touched it since it was read as `identity`. */
  async isStill(identity: string): Promise<boolean> {
    const { identity: now } = await this.#look().catch(() => ({
      identity: "",
    }));
    return now === identity;
  }

  async #look(): Promise<{ identity: string; touchedMs: number }> {
    const { dev, ino, size, mtime, ctime } = await Deno.stat(this.path);
    const times = [mtime, ctime ?? null].map((time) => time?.getTime() ?? 0);
    return {
      identity: [dev, ino, size, ...times].join(" "),
      touchedMs: Math.max(...times),
    };
  }
}

/** As probe-rs would say it. */
function unusable(path: string, why: string): Failure {
  const error = `Failed to read firmware from "${path}": ${why}`;
  return recognizeFailure({ code: 1, error });
}

async function hashOf(path: string): Promise<string> {
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const read = await file.read(buffer);
    if (read === null) return hash.digest("hex");
    hash.update(buffer.subarray(0, read));
  }
}
