/**
 * How this program starts itself again, as a child: the simulated board is one.
 *
 * @module
 */

/**
 * What a child under a cleared environment still needs, so that a run from source finds the cache
 * of its dependencies. Pass those on that are set; an executable needs none.
 */
export const SELF_ENVIRONMENT: readonly string[] = [
  "DENO_DIR",
  "HOME",
  "XDG_CACHE_HOME",
  "NPM_CONFIG_REGISTRY",
];

/**
 * Program and arguments that start this program with `args`. From source and from a bundle the child
 * has no permissions at all, which is what `simulate` needs.
 */
export function selfCommand(args: readonly string[]): string[] {
  const program = Deno.execPath();
  if (Deno.build.standalone) return [program, ...args];
  const here = import.meta.url;
  // The whole program is one file once it is bundled.
  const main = here.endsWith("/lib/cli/self.ts")
    ? new URL("../../main.ts", here).href
    : here;
  const flags = ["--quiet", "--cached-only", "--no-prompt", "--ignore-env"];
  return [program, "run", ...flags, main, ...args];
}
