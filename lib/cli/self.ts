/**
 * How this program starts itself again, as a child: the simulated board is one.
 *
 * @module
 */

/** Of these the cache of a run from source depends; an executable needs none. */
const SELF_ENVIRONMENT: readonly string[] = [
  "DENO_DIR",
  "HOME",
  "XDG_CACHE_HOME",
  "NPM_CONFIG_REGISTRY",
];

/** What a child under a cleared environment still needs of ours, so that it finds its dependencies. */
export function selfEnvironment(
  get: (name: string) => string | undefined,
): Record<string, string> {
  return Object.fromEntries(
    SELF_ENVIRONMENT.flatMap((name) => {
      const value = get(name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/**
 * Program and arguments that start this program with `args`. From source and from a bundle the child
 * has no permissions but those that `permissions`, flags of Deno, give it: `simulate` needs none.
 */
export function selfCommand(
  args: readonly string[],
  permissions: readonly string[] = [],
): string[] {
  const program = Deno.execPath();
  if (Deno.build.standalone) return [program, ...args];
  const here = import.meta.url;
  const main = here.endsWith("/lib/cli/self.ts")
    ? new URL("../../main.ts", here).href
    : Deno.mainModule;
  const flags = ["--quiet", "--cached-only", "--no-prompt", "--ignore-env"];
  return [program, "run", ...flags, ...permissions, main, ...args];
}
