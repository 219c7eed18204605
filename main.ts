/**
 * Arguments in, exit code out.
 *
 * The whole program is one file once it is bundled, so the journal's worker starts with this same
 * file: in a worker it is the journal, anywhere else the command line.
 *
 * @module
 */

if ("WorkerGlobalScope" in globalThis) {
  // A message that comes before the import is done would find nobody listening and be lost.
  const early: MessageEvent[] = [];
  const keep = (event: Event) => void early.push(event as MessageEvent);
  addEventListener("message", keep);
  await import("./lib/journal/worker.ts");
  removeEventListener("message", keep);
  for (const { data } of early) {
    dispatchEvent(new MessageEvent("message", { data }));
  }
} else {
  const { cli } = await import("./lib/cli/cli.ts");
  Deno.exit(await cli(Deno.args));
}
