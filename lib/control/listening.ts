/**
 * Listening for commands in a folder that may be unusable for now: the gateway works all the same.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { describeError } from "../error_text.ts";
import { wait } from "../wait.ts";
import { ControlServer, type ControlServerOptions } from "./server.ts";

/** How often it is tried again. */
const LISTEN_AGAIN_MS = 60_000;

/**
 * Listens in `folder` until it is disposed. Comes back after the first try; where that fails the log
 * says so, and it is tried again until it succeeds.
 */
export async function keepListening(
  folder: string,
  { perform }: ControlServerOptions,
): Promise<AsyncDisposable> {
  const stop = new AbortController();
  const tried = Promise.withResolvers<void>();
  let server: ControlServer | undefined;
  let warned = false;
  const listen = async () => {
    while (server === undefined && !stop.signal.aborted) {
      try {
        server = await ControlServer.open(folder, { perform });
      } catch (error) {
        if (!warned) {
          getLogger(["gateway", "control"]).warn(
            'Cannot listen for commands in "{folder}": {error}. "iiot-gateway release" and "record" do not reach this gateway, "rewind" and "rejects" need it to be stopped; it is tried again every minute',
            { folder, error: describeError(error) },
          );
        }
        warned = true;
        tried.resolve();
        await wait(LISTEN_AGAIN_MS, stop.signal);
      }
    }
    tried.resolve();
  };
  const listening = listen();
  await tried.promise;
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await listening;
      await server?.[Symbol.asyncDispose]();
    },
  };
}
