/**
 * `iiot-gateway simulate --recording`: a run of a recording on stdout and stderr, with its exit code.
 *
 * @module
 */

import { play } from "../source/player.ts";
import { readRecordingFile } from "../source/recording_reader.ts";
import { wait } from "../wait.ts";
import type { Speed } from "./replay.ts";
import { stopSignal } from "./stop_signal.ts";
import { writeAll } from "./terminal/terminal.ts";

/** Options for {@linkcode playRecording}. */
export interface PlayRecordingOptions {
  readonly recording: string;
  /** Which run of the board's program, from 0. */
  readonly run: number;
  readonly speed: Speed;
}

/** Plays it. @returns the recorded exit code; 0 when it is told to stop, or nobody reads any more */
export async function playRecording(
  { recording, run, speed }: PlayRecordingOptions,
): Promise<number> {
  using stop = stopSignal();
  try {
    return await play({
      entries: readRecordingFile(recording),
      run,
      speed: speed === "max" ? Infinity : Number(speed),
      write: (pipe, bytes) =>
        writeAll(pipe === "out" ? Deno.stdout : Deno.stderr, bytes),
      signal: stop.signal,
      now: () => performance.now(),
      wait,
    });
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    throw error;
  }
}
