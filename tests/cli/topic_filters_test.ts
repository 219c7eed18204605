import assert from "node:assert/strict";
import { topicFilters } from "../../lib/cli/watch/topic_filters.ts";
import { UsageError } from "../../lib/cli/usage_error.ts";

const PREFIX = "site/iiot";

Deno.test("topicFilters puts the prefix before what is given, once", () => {
  const of = (...given: string[]) =>
    topicFilters(given, { prefix: PREFIX, board: undefined });
  assert.deepEqual(of(), ["site/iiot/#"]);
  assert.deepEqual(of("node1/#", "+/temperature"), [
    "site/iiot/node1/#",
    "site/iiot/+/temperature",
  ]);
  assert.deepEqual(of("site/iiot/node1/#", "node1/#"), ["site/iiot/node1/#"]);
});

Deno.test("topicFilters takes of one board what is live and what is past", () => {
  assert.deepEqual(topicFilters(["#"], { prefix: "p", board: "hall" }), [
    "p/hall/#",
    "p/history/hall/#",
  ]);
});

Deno.test("topicFilters refuses what is no filter, and says what is one", () => {
  for (const one of ["", "a/#/b", "a#", "a/b+", "#a", "a\nb", "\x1b[2J"]) {
    assert.throws(
      () => topicFilters([one], { prefix: PREFIX, board: undefined }),
      (error) =>
        error instanceof UsageError &&
        /is no topic filter: /.test(error.message) &&
        !/\p{Cc}/u.test(error.message),
      JSON.stringify(one),
    );
  }
});
