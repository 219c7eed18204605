/**
 * What programs of the system print.
 *
 * @module
 */

const TIMEOUT_MS = 5_000;

/**
 * What a program of the system prints; undefined if it is not there, fails, takes more than five seconds
 * or `signal` is aborted.
 */
export async function outputOf(
  [program = "", ...args]: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const child = new Deno.Command(program, {
      args,
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C" },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const kill = () => child.kill("SIGKILL");
    const timer = setTimeout(kill, TIMEOUT_MS);
    signal.addEventListener("abort", kill);
    try {
      if (signal.aborted) kill();
      const { success, stdout } = await child.output();
      return success ? new TextDecoder().decode(stdout) : undefined;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", kill);
    }
  } catch {
    return undefined;
  }
}
