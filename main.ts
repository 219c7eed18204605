/**
 * Arguments in, exit code out.
 *
 * The whole program is one file once it is bundled, so there the journal's worker starts with this
 * same file: in a worker it is the journal, anywhere else the command line. From source the worker
 * starts with its own file, because what it is sent before an import is loaded is lost.
 *
 * @module
 */

if ("WorkerGlobalScope" in globalThis) {
  await import("./lib/journal/worker.ts");
} else {
  const { cli } = await import("./lib/cli/cli.ts");
  Deno.exit(await cli(Deno.args));
}
