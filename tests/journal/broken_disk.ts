/**
 * A disk that can be broken in the ways disks break, and mended again.
 *
 * @module
 */

import type { AsyncDisk, Commit } from "../../lib/journal/disk.ts";
import { DiskError } from "../../lib/journal/disk.ts";
import {
  SpareDisk,
  type SpareDiskOptions,
} from "../../lib/journal/spare_disk.ts";
import { directDisk, START_US } from "./world.ts";

/** What is broken: nothing; writing; writing and reading; or there is no room. */
export type Fault = "none" | "readonly" | "dead" | "full" | "lies" | "hangs";

/** A disk and what is wrong with it. */
export interface BrokenDisk {
  readonly disk: AsyncDisk;
  /**
   * `readonly` refuses commits and opening; `dead` reading too; `full` commits; `lies` reports commits
   * as failed that it wrote; `hangs` answers nothing.
   */
  fault: Fault;
  /** What it has written. */
  readonly commits: Commit[];
}

/** A disk that is whole at first. */
export function brokenDisk(): BrokenDisk {
  const disk = directDisk();
  const never = () => new Promise<never>(() => {});
  const failing = () => {
    throw new DiskError("disk I/O error", "failing");
  };
  const read =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (broken.fault === "hangs") return await never();
      if (broken.fault === "dead") failing();
      return await call(...args);
    };
  const broken: BrokenDisk = {
    fault: "none",
    commits: [],
    disk: {
      ...disk,
      open: async (path, logBytes) => {
        if (broken.fault === "hangs") return await never();
        if (["readonly", "dead"].includes(broken.fault)) failing();
        return await disk.open(path, logBytes);
      },
      openForReading: read(disk.openForReading),
      commit: async (commit) => {
        if (broken.fault === "hangs") return await never();
        if (broken.fault === "full") {
          throw new DiskError("database or disk is full", "full");
        }
        if (["readonly", "dead"].includes(broken.fault)) failing();
        const result = await disk.commit(commit);
        broken.commits.push(commit);
        if (broken.fault === "lies") failing();
        return result;
      },
      read: read(disk.read),
      oldest: read(disk.oldest),
      parked: read(disk.parked),
      oldestParked: read(disk.oldestParked),
      rejects: read(disk.rejects),
    },
  };
  return broken;
}

/** A disk with memory to spare that is tried again all the time. */
export function spareDisk(
  disk: AsyncDisk,
  options: Partial<SpareDiskOptions> = {},
): SpareDisk {
  return new SpareDisk({
    disk,
    prepare: () => Promise.resolve(),
    now: () => START_US,
    retryMs: 2,
    fullPatienceMs: 0,
    ...options,
  });
}
