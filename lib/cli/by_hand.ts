/**
 * Having a command carried out: by the gateway that runs, or, where none does, by this process on the
 * journal itself.
 *
 * @module
 */

import { catalogueOf } from "../catalogue.ts";
import type { Config } from "../config/schema.ts";
import { ask, type AskOptions, Unreachable } from "../control/client.ts";
import type { Command, ResultOf } from "../control/protocol.ts";
import { readBoot } from "../clock/boot.ts";
import { createOperations } from "../gateway/operations.ts";
import { createSinks, openJournal } from "../gateway/sinks.ts";
import { journalPath } from "../journal/folder.ts";
import { lockFolder, lockOwner } from "../journal/lock.ts";
import { WorkerDisk } from "../journal/worker_disk.ts";
import { Progress } from "./terminal/progress.ts";

/** How long a gateway that is just starting or ending is waited for. */
const PATIENCE_MS = 3000;
const PAUSE_MS = 100;

/**
 * The journal's file.
 *
 * @throws {Error} if there is none
 */
export async function existingJournal({ journal }: Config): Promise<string> {
  const path = journalPath(journal.folder);
  try {
    await Deno.stat(path);
    return path;
  } catch (cause) {
    throw new Error(
      `Cannot find the journal "${path}": "journal.folder" names the folder that a gateway has run with`,
      { cause },
    );
  }
}

/** Carries out `command`; a terminal sees how far it is. @throws {Error} if it cannot be done */
export async function carryOut<C extends Command>(
  config: Config,
  command: C,
): Promise<ResultOf<C>> {
  using progress = new Progress();
  const onProgress = (part: number) => progress.show(part);
  const { folder } = config.journal;
  return await askRunning(folder, command, { onProgress }) ??
    await onOurOwn(config, command, onProgress);
}

/**
 * Has the gateway with the journal in `folder` carry out `command`; null if none runs.
 *
 * @throws {Unreachable} if it hangs up, or is hung up on, when its answer has begun
 * @throws {Error} if it cannot be done, or one runs that does not answer
 */
export async function askRunning<C extends Command>(
  folder: string,
  command: C,
  options: AskOptions = {},
): Promise<ResultOf<C> | null> {
  const deadline = performance.now() + PATIENCE_MS;
  let isTold = false;
  const onPart = async (part: string) => {
    isTold = true;
    await options.onPart?.(part);
  };
  for (;;) {
    let silence: Unreachable;
    try {
      return await ask(folder, command, { ...options, onPart });
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      if (isTold || options.signal?.aborted) throw error;
      silence = error;
    }
    const owner = await lockOwner(folder);
    if (owner === null) return null;
    if (performance.now() > deadline) {
      throw new Error(
        `The journal in "${folder}" is in use by a gateway (process ${
          owner || "unknown"
        }) that does not answer. Try again, or stop it`,
        { cause: silence },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function onOurOwn<C extends Command>(
  config: Config,
  command: C,
  onProgress: (part: number) => void,
): Promise<ResultOf<C>> {
  await existingJournal(config);
  await using stack = new AsyncDisposableStack();
  stack.use(await lockFolder(config.journal.folder));
  const sinks = createSinks(config, {
    catalogue: catalogueOf(config),
    isNewest: () => false,
    latest: () => [],
    now: () => Date.now() * 1000,
  });
  const journal = stack.use(
    await openJournal(config, sinks, new WorkerDisk(), {
      boot: await readBoot(),
      now: () => Date.now() * 1000,
    }),
  );
  const { perform } = createOperations(config, journal);
  const signal = new AbortController().signal;
  // No command that is carried out here answers in parts.
  const onPart = () => Promise.resolve();
  return await perform(command, { signal, onProgress, onPart }) as ResultOf<C>;
}
