/**
 * The operator's wish to stop, as a signal of the web platform.
 *
 * @module
 */

/** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
export interface StopSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Listens for the signals that end a program: Ctrl-C, `systemctl stop`, a closed terminal. The first
 * asks to stop in order; the second ends the process at once with exit code 0, which loses nothing,
 * because the journal has it.
 */
export function stopSignal(): StopSignal {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) Deno.exit(0);
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
