import assert from "node:assert/strict";
import type { WatchedMessage } from "../../lib/cli/watch/watched_message.ts";
import { WatchedTopics } from "../../lib/cli/watch/watched_topics.ts";

function message(
  topic: string,
  value: WatchedMessage["value"],
  more: Partial<WatchedMessage> = {},
): WatchedMessage {
  return {
    topic,
    text: String(value),
    value,
    unit: null,
    isRetained: false,
    isStored: false,
    isHistorical: false,
    ...more,
  };
}

Deno.test("WatchedTopics keeps the newest of each topic, in the order of names, with the last 20 numbers", () => {
  const topics = new WatchedTopics();
  for (let i = 0; i < 30; i++) topics.take(message("b", i), i);
  topics.take(message("a", "text"), 31);
  assert.deepEqual(
    topics.sorted().map(({ newest, ms, numbers }) => [
      newest.topic,
      newest.value,
      ms,
      numbers.length,
    ]),
    [["a", "text", 31, 0], ["b", 29, 29, 20]],
  );
  assert.equal(topics.sorted()[1]?.numbers[0], 10);
  topics.take(message("b", "broken"), 40);
  assert.deepEqual(topics.sorted()[1]?.numbers, []);
});

Deno.test("WatchedTopics goes on calling a topic retained, of which a message was", () => {
  const topics = new WatchedTopics();
  topics.take(message("a", 1, { isRetained: true, isStored: true }), 0);
  topics.take(message("a", 2), 1);
  const [{ newest } = assert.fail()] = topics.sorted();
  assert.deepEqual([newest.isRetained, newest.isStored], [true, false]);
});

Deno.test("WatchedTopics counts the messages of the last ten seconds", () => {
  const topics = new WatchedTopics();
  assert.equal(topics.rate(0), 0);
  for (let ms = 0; ms < 60_000; ms += 100) topics.take(message("a", ms), ms);
  assert.ok(Math.abs(topics.rate(60_000) - 10) < 1.1, `${topics.rate(60_000)}`);
  assert.equal(topics.rate(80_000), 0);
});

Deno.test("WatchedTopics keeps ten thousand topics at most, and counts the messages of others", () => {
  const topics = new WatchedTopics();
  for (let i = 0; i < 10_003; i++) topics.take(message(`t${i}`, i), i);
  topics.take(message("t1", 5), 20_000);
  assert.equal(topics.size, 10_000);
  assert.equal(topics.passedOver, 3);
});
