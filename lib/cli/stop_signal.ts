/**
 * The operator's wish to stop, as a signal of the web platform.
 *
 * @module
 */

/**
 * A second signal counts only so long after the first, in milliseconds: `deno task` hands Ctrl-C on to
 * a program that the terminal has sent it to already.
 */
const ONE_WISH_MS = 300;

/** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
export interface StopSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Listens for the signals that end a program: Ctrl-C, `systemctl stop`, a closed terminal. The first
 * asks to stop in order; the second ends the process at once with exit code 1. What the journal has
 * committed by then, which is all but the last moment, goes out at the next start.
 */
export function stopSignal(): StopSignal {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const onSignal = () => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > ONE_WISH_MS) Deno.exit(1);
    controller.abort();
  };
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const one of signals) Deno.addSignalListener(one, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const one of signals) Deno.removeSignalListener(one, onSignal);
    },
  };
}
