/**
 * Arguments in, exit code out.
 *
 * @module
 */

import { cli } from "./lib/cli/cli.ts";

Deno.exit(await cli(Deno.args));
