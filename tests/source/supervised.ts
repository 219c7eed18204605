/**
 * A gateway to be killed: supervises a child that opens the file named by the first argument, says
 * so, and never ends.
 *
 * @module
 */

import { CommandLauncher } from "../../lib/source/command_launcher.ts";
import { Supervisor } from "../../lib/source/supervisor.ts";

const [file = ""] = Deno.args;
const PATH = Deno.env.get("PATH") ?? "";
await new Supervisor({
  launcher: new CommandLauncher(
    ["sh", "-c", 'exec 3>"$0"; echo $$; exec sleep 1000', file],
    PATH,
  ),
  env: { PATH },
  backoff: () => ({ next: () => 1000, reset() {} }),
  stopTimeoutMs: 1000,
  onStdout: (stdout) => stdout.pipeTo(Deno.stdout.writable),
}).run();
