/**
 * Certificates for servers of tests.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findProgram } from "./servers.ts";

/**
 * Makes in `folder` an authority, `ca.crt`, and a server's `server.crt` with `server.key` for the host
 * `localhost`. A test that calls it requires "openssl".
 */
export async function makeCertificates(folder: string): Promise<void> {
  const run = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command(findProgram("openssl"), {
      args,
      cwd: folder,
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
  ];
  await run(
    ...["req", "-x509", ...key, "-subj", "/CN=test authority"],
    ...["-keyout", "ca.key", "-out", "ca.crt"],
  );
  await run(
    ...["req", "-x509", ...key, "-subj", "/CN=localhost"],
    ...[
      "-addext",
      "subjectAltName=DNS:localhost",
      "-addext",
      "basicConstraints=critical,CA:FALSE",
    ],
    ...[
      "-CA",
      "ca.crt",
      "-CAkey",
      "ca.key",
      "-keyout",
      "server.key",
      "-out",
      "server.crt",
    ],
  );
}
