import assert from "node:assert/strict";
import { sayReleased } from "../../lib/cli/release.ts";

const AT = { now: new Date(2026, 10, 27, 14, 50) };

Deno.test("A release is told with its end, and with the command that ends it before", () => {
  const only = { board: "", wasReleased: false };
  assert.equal(
    sayReleased(only, { ...AT, minutes: 15, isOnly: true }),
    'The probe is free for 15 minutes, until 15:05; then the gateway takes it back by itself. "iiot-gateway release --end" does so at once.',
  );
  assert.match(
    sayReleased({ ...only, board: "yard" }, {
      ...AT,
      minutes: 1,
      isOnly: false,
    }),
    /^The probe of yard is free for 1 minute,.* "iiot-gateway release --end --board yard" does so at once\.$/,
  );
  // Beside others, one without a name is asked for all the same.
  assert.match(
    sayReleased(only, { ...AT, minutes: 1, isOnly: false }),
    /^The probe of the board without a name is free .* "iiot-gateway release --end --board ''" /,
  );
});

Deno.test("The end of a release is told, and that there was none", () => {
  const end = { ...AT, minutes: 0, isOnly: true };
  assert.equal(
    sayReleased({ board: "yard", wasReleased: true }, end),
    "The probe of yard is taken back.",
  );
  assert.equal(
    sayReleased({ board: "", wasReleased: false }, end),
    "The probe was not released: nothing has changed.",
  );
});
