/**
 * A gateway to be killed: supervises a child that opens the file named by the first argument, says
 * so, and never ends.
 *
 * @module
 */

import { Supervisor } from "../../lib/source/supervisor.ts";

const [file = ""] = Deno.args;
await new Supervisor({
  command: ["sh", "-c", 'exec 3>"$0"; echo $$; exec sleep 1000', file],
  env: { PATH: Deno.env.get("PATH") ?? "" },
  backoff: { next: () => 1000, reset() {} },
  stopTimeoutMs: 1000,
  onStdout: (stdout) => stdout.pipeTo(Deno.stdout.writable),
}).run();
