/**
 * The disk that the gateway under test keeps its journal on: as root on Linux a small one of its own
 * (a tmpfs in a mount namespace), which can be filled and made read-only; otherwise a plain folder.
 *
 * The namespace lives as long as a process in it that ends with its stdin: nothing stays mounted,
 * however this program ends.
 *
 * @module
 */

import { join } from "node:path";

/** A place for a journal. */
export interface JournalDisk extends AsyncDisposable {
  /** The folder as the gateway knows it. */
  readonly folder: string;
  /** The same folder as this process can reach it. */
  readonly outside: string;
  /** Whether it can be filled and made read-only. */
  readonly canFail: boolean;
  /** What stands before a command so that it runs where the disk is. */
  readonly prefix: readonly string[];
  /** Leaves no byte free. */
  fill(): Promise<void>;
  /** Gives back what `fill` took. */
  unfill(): Promise<void>;
  /** Nobody may have a file open there for writing. */
  setReadOnly(readOnly: boolean): Promise<void>;
}

/** Makes a disk of `megabytes` at `folder`. */
export async function makeJournalDisk(
  folder: string,
  megabytes: number,
): Promise<JournalDisk> {
  await Deno.mkdir(folder, { recursive: true });
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return plain(folder);
  return await TmpfsDisk.mount(folder, megabytes) ?? plain(folder);
}

function plain(folder: string): JournalDisk {
  const cannot = () =>
    Promise.reject(new Error(`"${folder}" has no disk of its own`));
  return {
    folder,
    outside: folder,
    canFail: false,
    prefix: [],
    fill: cannot,
    unfill: cannot,
    setReadOnly: cannot,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

class TmpfsDisk implements JournalDisk {
  readonly canFail = true;
  readonly folder: string;
  readonly #holder: Deno.ChildProcess;

  private constructor(folder: string, holder: Deno.ChildProcess) {
    this.folder = folder;
    this.#holder = holder;
  }

  /** Undefined where it is not allowed, as in some containers. */
  static async mount(
    folder: string,
    megabytes: number,
  ): Promise<TmpfsDisk | undefined> {
    const script =
      `mount -t tmpfs -o size=${megabytes}m,mode=700 chaos "$0" && echo ready && exec cat`;
    const holder = new Deno.Command("unshare", {
      args: ["-m", "--propagation", "private", "sh", "-c", script, folder],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = holder.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    if (value !== undefined) return new TmpfsDisk(folder, holder);
    await holder.stdin.close();
    await holder.status;
    return undefined;
  }

  get outside(): string {
    return `/proc/${this.#holder.pid}/root${this.folder}`;
  }

  get prefix(): readonly string[] {
    return ["nsenter", `--mount=/proc/${this.#holder.pid}/ns/mnt`];
  }

  async fill(): Promise<void> {
    const file = await Deno.open(join(this.outside, "filler"), {
      create: true,
      append: true,
    });
    try {
      // Large pieces first, then bytes, until not one more goes in.
      for (let size = 1 << 20; size >= 1; size /= 2) {
        const piece = new Uint8Array(size);
        try {
          for (;;) await file.write(piece);
        } catch (error) {
          if (!/os error 28/.test(String(error))) throw error;
        }
      }
    } finally {
      file.close();
    }
  }

  async unfill(): Promise<void> {
    await Deno.remove(join(this.outside, "filler")).catch(() => {});
  }

  async setReadOnly(readOnly: boolean): Promise<void> {
    const [program = "", ...args] = this.prefix;
    const option = `remount,${readOnly ? "ro" : "rw"}`;
    const { success, stderr } = await new Deno.Command(program, {
      args: [...args, "mount", "-o", option, this.folder],
      stdin: "null",
    }).output();
    if (success) return;
    throw new Error(
      `Cannot ${option} "${this.folder}": ${new TextDecoder().decode(stderr)}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder.stdin.close();
    await this.#holder.status;
  }
}
