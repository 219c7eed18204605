/**
 * Where a bench is kept: a folder that processes share, or the memory of one.
 *
 * @module
 */

import { join } from "node:path";
import { tryLock } from "../../try_lock.ts";

/** A lock that its holder's death releases. */
export interface BenchLock extends AsyncDisposable {
  /** When its holder last showed that it lives, in milliseconds of the wall clock. */
  livedAtMs(): Promise<number>;
  /** Shows that its holder lives. */
  live(nowMs: number): Promise<void>;
}

/** Small texts by name. What was written is there whole or not at all, whenever its writer was killed. */
export interface BenchStore {
  read(name: string): Promise<string | undefined>;
  write(name: string, text: string): Promise<void>;
  /** Writes it if nothing is there yet; gives what is there then. */
  claim(name: string, text: string): Promise<string>;
  append(name: string, text: string): Promise<void>;
  /** Undefined: somebody has it. */
  lock(name: string): Promise<BenchLock | undefined>;
}

/** Keeps a bench in a folder, which is made with the first text. */
export class FolderStore implements BenchStore {
  readonly #folder: string;
  #made = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(name: string): Promise<string | undefined> {
    try {
      return await Deno.readTextFile(join(this.#folder, name));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  async write(name: string, text: string): Promise<void> {
    const path = await this.#path(name);
    await Deno.rename(await writeBeside(path, text), path);
  }

  async claim(name: string, text: string): Promise<string> {
    const there = await this.read(name);
    if (there !== undefined) return there;
    const path = await this.#path(name);
    const beside = await writeBeside(path, text);
    try {
      await Deno.link(beside, path);
      return text;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      return await Deno.readTextFile(path);
    } finally {
      await Deno.remove(beside);
    }
  }

  async append(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(await this.#path(name), text, { append: true });
  }

  async lock(name: string): Promise<BenchLock | undefined> {
    const file = await Deno.open(await this.#path(name), {
      create: true,
      read: true,
      write: true,
    });
    if (!await tryLock(file, true)) {
      file.close();
      return undefined;
    }
    return {
      livedAtMs: async () => (await file.stat()).mtime?.getTime() ?? 0,
      live: (nowMs) => file.utime(new Date(nowMs), new Date(nowMs)),
      [Symbol.asyncDispose]: () => {
        file.close();
        return Promise.resolve();
      },
    };
  }

  async #path(name: string): Promise<string> {
    if (!this.#made) await Deno.mkdir(this.#folder, { recursive: true });
    this.#made = true;
    return join(this.#folder, name);
  }
}

/** Keeps a bench in memory. */
export class MemoryStore implements BenchStore {
  readonly #texts = new Map<string, string>();
  readonly #locked = new Set<string>();
  readonly #livedAtMs = new Map<string, number>();

  read(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#texts.get(name));
  }

  write(name: string, text: string): Promise<void> {
    this.#texts.set(name, text);
    return Promise.resolve();
  }

  claim(name: string, text: string): Promise<string> {
    const there = this.#texts.get(name) ?? text;
    this.#texts.set(name, there);
    return Promise.resolve(there);
  }

  append(name: string, text: string): Promise<void> {
    return this.write(name, (this.#texts.get(name) ?? "") + text);
  }

  lock(name: string): Promise<BenchLock | undefined> {
    if (this.#locked.has(name)) return Promise.resolve(undefined);
    this.#locked.add(name);
    return Promise.resolve({
      livedAtMs: () => Promise.resolve(this.#livedAtMs.get(name) ?? 0),
      live: (nowMs) => {
        this.#livedAtMs.set(name, nowMs);
        return Promise.resolve();
      },
      [Symbol.asyncDispose]: () => {
        this.#locked.delete(name);
        return Promise.resolve();
      },
    });
  }
}

/** Writes a file of its own beside `path`, and gives its name. */
async function writeBeside(path: string, text: string): Promise<string> {
  const beside = `${path}.${Deno.pid}`;
  await Deno.writeTextFile(beside, text);
  return beside;
}
