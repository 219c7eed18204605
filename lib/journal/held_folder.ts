/**
 * The journal's folder, held by this process alone from its start to its end, even while it cannot
 * be written or is not there.
 *
 * @module
 */

import { makeJournalFolder } from "./folder.ts";
import {
  FolderInUseError,
  type FolderLock,
  lockFolder,
  lockStandIn,
} from "./lock.ts";

/** A journal's folder; disposing gives it back. */
export class HeldFolder implements Disposable {
  readonly #folder: string;
  #lock: FolderLock | undefined;
  #standIn: FolderLock | undefined;
  #taking: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Makes and locks the folder; once that is done, nothing.
   *
   * @throws {FolderInUseError} if another gateway holds it
   * @throws {Error} if it cannot be made or written; then no other gateway can begin there meanwhile
   */
  take(): Promise<void> {
    return this.#taking ??= this.#take()
      .finally(() => this.#taking = undefined);
  }

  async #take(): Promise<void> {
    if (this.#lock !== undefined) return;
    try {
      await makeJournalFolder(this.#folder);
      this.#lock = await lockFolder(this.#folder);
      this.#standIn?.[Symbol.dispose]();
      this.#standIn = undefined;
    } catch (error) {
      if (!(error instanceof FolderInUseError)) await this.#takeStandIn();
      throw error;
    }
  }

  async #takeStandIn(): Promise<void> {
    try {
      this.#standIn ??= await lockStandIn(this.#folder);
    } catch (error) {
      // Without any place for a lock there is none; the gateway goes on all the same.
      if (error instanceof FolderInUseError) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#lock?.[Symbol.dispose]();
    this.#standIn?.[Symbol.dispose]();
    this.#lock = this.#standIn = undefined;
  }
}
