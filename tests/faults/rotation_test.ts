/** A token or a password that is changed while the gateway runs: facts of fault 6, with files. */

import assert from "node:assert/strict";
import { rereadSecret, TOKEN_CHARACTERS } from "../../lib/config/config.ts";
import { Secret } from "../../lib/sink/secret.ts";
import {
  findProgram,
  requires,
  startMosquitto,
  subscribe,
} from "../servers.ts";
import {
  errorAnswer,
  startScriptedInfluxdb,
} from "../sink/scripted_influxdb.ts";
import { startRig } from "./rig.ts";

/** A file with a secret in it, and the secret that is read from there. */
async function secretFile(value: string, hidden: string[] = []) {
  const folder = await Deno.makeTempDir({ prefix: "secret-" });
  const file = `${folder}/secret`;
  await Deno.writeTextFile(file, `${value}\n`);
  return {
    file,
    secret: new Secret({
      value,
      file,
      read: (path) => rereadSecret(path, TOKEN_CHARACTERS),
      hide: (one) => void hidden.push(one),
      lookMs: 5,
    }),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("A rotated token is taken from its file without a restart, and nothing is lost", async () => {
  let valid = "token-1";
  const seen: string[] = [];
  const hidden: string[] = [];
  await using server = startScriptedInfluxdb({
    answer: ({ headers }) => {
      const token = headers.get("authorization")!.replace("Token ", "");
      seen.push(token);
      if (token !== "token-1") assert.ok(hidden.includes(token));
      return token === valid
        ? undefined
        : errorAnswer(401, "unauthorized", "unauthorized access");
    },
  });
  await using token = await secretFile("token-1", hidden);
  // No slow retry within this test: what helps is the file's change alone.
  await using rig = await startRig({
    influxdb: { url: server.url },
    token: token.secret,
    slowRetryMs: 600_000,
  });
  await rig.appendNumbered(10);
  await rig.delivered();

  valid = "token-2";
  await rig.appendNumbered(10);
  await rig.until(() => rig.log.some((line) => line.includes("401")));
  assert.match(
    rig.log.at(-1)!,
    /^influxdb warning: Cannot deliver: .* answers 401, "unauthorized access"\. Readings are kept until it works\. Set "influxdb\.token" .* It stands in ".*\/secret": that is read again by itself$/,
  );
  const attempts = seen.length;
  for (const wrong of ["", "no token", "token-1\n", undefined, "token-1.5"]) {
    if (wrong === undefined) await Deno.remove(token.file);
    else await Deno.writeTextFile(token.file, wrong);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(rig.standing("influxdb").waiting, 90);
  }
  await rig.until(() => token.secret.value === "token-1.5");
  await Deno.writeTextFile(token.file, "token-2");
  await rig.delivered();
  assert.deepEqual(rig.standing("influxdb").ledger.dropped, {});
  assert.equal(server.stored.size, 180);
  assert.deepEqual(hidden, ["token-1.5", "token-2"]);
  // One try with each value that the file has really held, and no other.
  assert.ok(seen.length - attempts <= 4);
  const said = rig.log.filter((line) => line.includes("Cannot deliver"));
  assert.equal(said.length, 1);
});

Deno.test("A token that had been rotated before the first refusal is tried at once", async () => {
  await using server = startScriptedInfluxdb({
    answer: ({ headers }) =>
      headers.get("authorization") === "Token token-2"
        ? undefined
        : errorAnswer(401, "unauthorized", "unauthorized access"),
  });
  await using token = await secretFile("token-1");
  await Deno.writeTextFile(token.file, "token-2");
  await using rig = await startRig({
    influxdb: { url: server.url },
    token: token.secret,
    slowRetryMs: 600_000,
  });
  await rig.appendNumbered(3);
  await rig.delivered();
  assert.ok(!rig.log.some((line) => line.includes("Cannot deliver")));
});

Deno.test("A token in config.toml or the environment asks for a restart", async () => {
  await using server = startScriptedInfluxdb({
    answer: () => errorAnswer(401, "unauthorized", "unauthorized access"),
  });
  await using rig = await startRig({ influxdb: { url: server.url } });
  await rig.appendNumbered(1);
  await rig.until(() => rig.log.some((line) => line.includes("401")));
  assert.match(rig.log.at(-1)!, /start the gateway again/);
  assert.equal(rig.standing("influxdb").waiting, 9);
});

Deno.test({
  name: "A rotated password is taken from its file without a restart",
  ...requires("mosquitto", "mosquitto_passwd"),
  fn: async () => {
    await using password = await secretFile("word-1");
    const users = `${password.file}.users`;
    const setPassword = async (word: string) => {
      const { success } = await new Deno.Command(
        findProgram("mosquitto_passwd"),
        {
          args: ["-c", "-b", users, "gateway", word],
        },
      ).output();
      assert.ok(success);
    };
    await setPassword("word-1");
    await using broker = await startMosquitto({
      conf: ["allow_anonymous false", `password_file ${users}`],
    });
    await using rig = await startRig({
      mqtt: { url: broker.url, username: "gateway", password: "word-1" },
      password: password.secret,
      slowRetryMs: 600_000,
    });
    await rig.appendNumbered(5);
    await rig.delivered();
    await broker.stop();
    await setPassword("word-2");
    await rig.appendNumbered(5);
    await broker.start();
    await rig.until(() => rig.log.some((line) => line.includes("refuses")));
    assert.match(rig.log.join("\n"), /It stands in ".*\/secret": that is read/);
    await Deno.writeTextFile(password.file, "word-2\n");
    await rig.delivered();
    assert.deepEqual(rig.standing("mqtt").ledger.dropped, {});
    await using heard = await subscribe(broker.url, "iiot/#", {
      username: "gateway",
      password: "word-2",
    });
    await heard.waitFor(5);
  },
});
