/**
 * The journal's disk, which begins to open while the rest of the gateway is put together.
 *
 * @module
 */

import type { Config } from "../config/schema.ts";
import { logBytesOf } from "../journal/disk.ts";
import { journalPath } from "../journal/folder.ts";
import { HeldFolder } from "../journal/held_folder.ts";
import { WorkerDisk } from "../journal/worker_disk.ts";
import { within } from "../wait.ts";

/** So long the rest waits at most until the disk has been told to begin; it takes for ever where it hangs. */
const TAKE_WITHIN_MS = 50;

/** A journal that is about to be opened; disposing gives its folder back, and closes a disk nobody took. */
export class JournalStart implements AsyncDisposable {
  readonly folder: HeldFolder;
  readonly #disk: WorkerDisk;
  #isTaken = false;

  private constructor(folder: HeldFolder, disk: WorkerDisk) {
    this.folder = folder;
    this.#disk = disk;
  }

  /** What cannot be begun is said by whoever opens the journal. */
  static async begin(
    { journal }: Pick<Config, "journal">,
  ): Promise<JournalStart> {
    const { folder, max_megabytes } = journal;
    const disk = new WorkerDisk();
    const held = new HeldFolder(folder);
    const begun = held.take().then(
      () => disk.begin(journalPath(folder), logBytesOf(max_megabytes * 1e6)),
      () => {},
    );
    await within(TAKE_WITHIN_MS, begun);
    return new JournalStart(held, disk);
  }

  /** The disk, to be closed by whoever takes it. */
  takeDisk(): WorkerDisk {
    this.#isTaken = true;
    return this.#disk;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Something else has ended the start, and is told; a disk that fails besides is not.
    if (!this.#isTaken) await this.#disk.close().catch(() => {});
    this.folder[Symbol.dispose]();
  }
}
