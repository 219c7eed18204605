/**
 * The run of the operating system that this process belongs to: its monotonic clock goes on when the
 * gateway is started again.
 *
 * @module
 */

import { outputOf } from "../program_output.ts";

/** One run of the operating system. */
export interface Boot {
  /** Identifies it; empty where the system has no such id, as outside Linux. */
  readonly id: string;
  /**
   * Microseconds since it started, to some 10 ms between two processes; those of this process where
   * `id` is empty. No step of the wall clock moves it.
   */
  monotonicUs(): number;
}

/** Looks up the present run. The time is inexact by half of what holds up this thread meanwhile. */
export async function readBoot(): Promise<Boot> {
  const beforeMs = performance.now();
  // Deno lets only programs with all permissions read below /proc by themselves.
  const text = await outputOf(
    ["cat", "/proc/uptime", "/proc/sys/kernel/random/boot_id"],
    new AbortController().signal,
  );
  const afterMs = performance.now();
  const [uptime = "", id = ""] = text?.trim().split("\n") ?? [];
  const uptimeUs = parseFloat(uptime) * 1e6;
  if (id === "" || !(uptimeUs > 0)) {
    return { id: "", monotonicUs: () => performance.now() * 1000 };
  }
  const startedUs = uptimeUs - (beforeMs + afterMs) / 2 * 1000;
  return { id, monotonicUs: () => startedUs + performance.now() * 1000 };
}
