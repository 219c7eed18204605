import assert from "node:assert/strict";
import { Secret } from "../../lib/sink/secret.ts";
import type { Failure } from "../../lib/sink/sink.ts";

const REFUSED: Failure = {
  kind: "blocked",
  message: "401",
  hint: 'Set "influxdb.token" to a token that this server knows',
};

/** A secret in a file that holds `text`; an error is thrown instead of read. */
function makeSecret(file?: string) {
  const world = { text: "old" as string | Error, hidden: [] as string[] };
  const secret: Secret = new Secret({
    value: "old",
    file,
    read: () =>
      world.text instanceof Error
        ? Promise.reject(world.text)
        : Promise.resolve(world.text),
    hide: (value) => {
      assert.notEqual(secret.value, value);
      world.hidden.push(value);
    },
    lookMs: 1,
  });
  return { secret, world };
}

function hintOf(secret: Secret): string {
  const failure = secret.refused(REFUSED, "influxdb.token");
  assert.ok(failure.kind === "blocked");
  return failure.hint;
}

Deno.test("Secret takes another value from its file, hidden before it is used", async () => {
  const { secret, world } = makeSecret("/etc/token");
  assert.equal(await secret.renew(), false);
  world.text = "new";
  assert.equal(await secret.renew(), true);
  assert.equal(secret.value, "new");
  assert.deepEqual(world.hidden, ["new"]);
  assert.equal(await secret.renew(), false);
});

Deno.test("Secret keeps its value while the file is unchanged or cannot be used, and says why", async () => {
  const { secret, world } = makeSecret("/etc/token");
  assert.match(
    hintOf(secret),
    /knows\. It stands in "\/etc\/token": that is read again by itself$/,
  );
  world.text = new Error("is empty");
  assert.equal(await secret.renew(), false);
  assert.equal(secret.value, "old");
  assert.match(hintOf(secret), /"\/etc\/token", which is empty: that is read/);
  world.text = "old";
  await secret.renew();
  assert.doesNotMatch(hintOf(secret), /empty/);
});

Deno.test("Secret says when its file has changed, and stops looking when it is told to", async () => {
  const { secret, world } = makeSecret("/etc/token");
  const failure = secret.refused(REFUSED, "influxdb.token");
  assert.ok(failure.kind === "blocked" && failure.mended !== undefined);
  const stop = new AbortController();
  const stopped = failure.mended(stop.signal);
  stop.abort();
  await stopped;
  assert.equal(secret.value, "old");
  const changed = failure.mended(new AbortController().signal);
  world.text = "new";
  await changed;
  assert.equal(secret.value, "new");
});

Deno.test("Secret without a file never changes, and asks for a restart", async () => {
  const { secret, world } = makeSecret();
  world.text = "new";
  assert.equal(await secret.renew(), false);
  assert.match(
    hintOf(secret),
    /start the gateway again: config\.toml and the environment are read at its start, "influxdb\.token_file" whenever/,
  );
  const failure = secret.refused(REFUSED, "influxdb.token");
  assert.ok(!("mended" in failure));
  const retry: Failure = { kind: "retry", message: "cut" };
  assert.equal(secret.refused(retry, "influxdb.token"), retry);
});
