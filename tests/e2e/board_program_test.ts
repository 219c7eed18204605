/**
 * What becomes of a board's program: silent, released to a debugger, left behind.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ChildStatus } from "../../lib/monitor/child_status.ts";
import { PROGRAMS } from "../cli/program.ts";
import { DEAD_PORT } from "../servers.ts";
import { eventually, GatewayProcess } from "./gateway_process.ts";

const [source] = PROGRAMS;
assert.ok(source);

const CONFIG = ["--config", "config.toml"];

const PACKET = 'JSON sent via VCP: {"ts":1,"n1":{"t":21.5}}';
const TOKEN = "my-super-secret-auth-token";

/** A board that prints one packet or another line, and nothing more. */
function config(more: string, line = PACKET): string {
  const script = `PATH=/usr/bin:/bin; echo '${line}'; exec sleep 1000`;
  return `
[influxdb]
url = "http://127.0.0.1:${DEAD_PORT}"
org = "my-org"
bucket = "telemetry"
token = "${TOKEN}"
[gateway]
command = ["/bin/sh", "-c", ${JSON.stringify(script)}]
${more}`;
}

/** Waits until the board's program is as `look` wants it. */
async function untilChild(
  gateway: GatewayProcess,
  what: string,
  look: (child: ChildStatus) => boolean,
): Promise<ChildStatus> {
  return await eventually(what, async () => {
    const child = (await gateway.status()).boards[0]?.child;
    return child && look(child) ? child : undefined;
  });
}

function isAlive(pid: number | null): boolean {
  try {
    Deno.kill(pid ?? 0, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

for (const program of PROGRAMS) {
  Deno.test(`A board that is silent is told in the log and in status, and its probe is lent and taken back (${program.form})`, async () => {
    await using gateway = await GatewayProcess.create({
      program,
      config: config("silence_timeout_s = 1\n"),
    });
    const release = (...args: string[]) =>
      gateway.run("release", ...CONFIG, ...args);
    gateway.start();
    const silent = await untilChild(
      gateway,
      "the board is silent",
      ({ silence }) => silence !== null,
    );
    assert.equal(silent.silence?.kind, "no output");
    assert.match(
      (await gateway.status()).summary,
      /^The board has been silent/,
    );
    assert.equal(gateway.log.match(/No telemetry for/g)?.length, 1);

    const lent = await release("--minutes", "15");
    assert.equal(lent.code, 0, lent.stderr);
    assert.match(lent.stdout, /^The probe is free for 15 minutes, until \d/);
    assert.equal(isAlive(silent.process), false);
    const { boards: [board], summary } = await gateway.status();
    assert.match(summary, /^The probe of the board is released for another/);
    assert.equal(board?.child?.phase, "released");
    assert.equal(board.child.silence, null);
    const left = board.child.next_start_in_s ?? 0;
    assert.ok(left > 600 && left <= 900, `${left} s`);
    assert.equal((await release("--minutes", "1440")).code, 0);
    const longer = await untilChild(
      gateway,
      "it is longer",
      (child) => (child.next_start_in_s ?? 0) > 900,
    );
    assert.equal(longer.process, null);

    const back = await release("--end");
    assert.equal(back.stdout, "The probe is taken back.\n");
    await untilChild(gateway, "it runs", ({ phase }) => phase === "running");
    assert.match((await release("--end")).stdout, /nothing has changed/);
    const strange = await release("--board", "hall");
    assert.equal(strange.code, 1);
    assert.match(strange.stderr, /no board "hall": it has one without a name/);
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
    const alone = await release();
    assert.equal(alone.code, 0, alone.stderr);
    assert.match(
      alone.stdout,
      /^No gateway runs with the journal in .*: none holds the probe/,
    );
  });
}

Deno.test({
  name:
    "What outlives a killed gateway is ended by the next one, where nothing else does that",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using gateway = await GatewayProcess.create({
      program: source,
      config: config(""),
      // Without util-linux.
      env: { PATH: "/nowhere" },
    });
    const isRunning = ({ process }: ChildStatus) => process !== null;
    gateway.start();
    const { process: left } = await untilChild(gateway, "it runs", isRunning);
    await eventually("it is noted", async () => {
      const path = `${gateway.folder}/journal/child.json`;
      const note = await Deno.readTextFile(path).catch(() => "");
      return note.includes(`"pid":${left},`);
    });
    await using _ended = {
      [Symbol.asyncDispose]: async () => {
        await gateway.end("SIGKILL").catch(() => {});
        if (left !== null && isAlive(left)) Deno.kill(left, "SIGKILL");
      },
    };
    await gateway.end("SIGKILL");
    assert.ok(isAlive(left), "nothing ends it here");
    gateway.start();
    const { process } = await untilChild(gateway, "it runs again", isRunning);
    assert.notEqual(process, left);
    // Whether the system has collected it is not our matter.
    const stat = await Deno.readTextFile(`/proc/${left}/stat`).catch(() => "");
    assert.ok(!isAlive(left) || stat.includes(") Z "), stat);
    assert.match(
      gateway.log,
      new RegExp(`left its program behind: process ${left} is ended`),
    );
    assert.equal(await gateway.end("SIGTERM"), 0, gateway.log);
  },
});

Deno.test("What the firmware says of a secret of the gateway's is hidden in status", async () => {
  await using gateway = await GatewayProcess.create({
    program: source,
    config: config(
      "",
      `ERROR panicked at src/main.rs:9:5: login with ${TOKEN}`,
    ),
  });
  gateway.start();
  const { last_panic } = await untilChild(
    gateway,
    "the firmware has panicked",
    (child) => child.last_panic !== null,
  );
  assert.equal(last_panic?.message, "login with [hidden]");
});
