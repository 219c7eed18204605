import assert from "node:assert/strict";
import { formatRequest, parseRequest } from "../../lib/control/protocol.ts";
import { type Board, release } from "../../lib/control/release.ts";

/** A board that keeps what it was told. */
function board(phase: Board["state"]["phase"] = "running") {
  const told: (number | "take")[] = [];
  return {
    told,
    state: { phase, restarts: 0 },
    release: (forMs: number) => Promise.resolve(void told.push(forMs)),
    take: () => {
      told.push("take");
      return phase === "released";
    },
  };
}

Deno.test("release frees the only board's probe without a name, and says whether it was free", async () => {
  const only = board();
  assert.deepEqual(await release({ "": only }, { minutes: 15 }), {
    board: "",
    wasReleased: false,
  });
  assert.deepEqual(only.told, [900_000]);
  const free = board("released");
  assert.deepEqual(await release({ hall: free }, { minutes: 0 }), {
    board: "hall",
    wasReleased: true,
  });
  assert.deepEqual(free.told, ["take"]);
});

Deno.test("release frees the probe of the board that is named, and no other", async () => {
  const [one, other] = [board(), board()];
  const boards = { one, other };
  await release(boards, { board: "other", minutes: 1 });
  assert.deepEqual([one.told, other.told], [[], [60_000]]);
  await assert.rejects(
    release(boards, { minutes: 1 }),
    /^Error: "--board" must say which board: there are one, other$/,
  );
  for (const name of ["third", "", "toString", "__proto__"]) {
    await assert.rejects(
      release(boards, { board: name, minutes: 1 }),
      /^Error: The running gateway has no board ".*": it has one, other$/,
    );
  }
  await assert.rejects(
    release({ "": one }, { board: "third", minutes: 1 }),
    /it has one without a name$/,
  );
  assert.deepEqual(one.told, []);
});

Deno.test("A release is asked for within a day, in whole minutes", () => {
  for (const minutes of [0, 1, 1440]) {
    const command = { do: "release", minutes } as const;
    assert.deepEqual(parseRequest(formatRequest(command)), command);
  }
  for (const minutes of [-1, 1441, 1.5, NaN]) {
    assert.throws(
      () => parseRequest(formatRequest({ do: "release", minutes })),
      /command\.minutes/,
    );
  }
});
