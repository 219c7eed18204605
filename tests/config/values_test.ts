import assert from "node:assert/strict";
import { parseDuration } from "../../lib/config/duration.ts";
import {
  hideSecrets,
  parseBrokerUrl,
  parseHttpUrl,
} from "../../lib/config/url.ts";

Deno.test("parseDuration reads a whole number with one of four units", () => {
  for (
    const [text, seconds] of [["0s", 0], ["90s", 90], ["15m", 900], [
      "12h",
      43_200,
    ], [
      "30d",
      2_592_000,
    ]] as const
  ) {
    assert.equal(parseDuration(text), seconds);
  }
  for (
    const text of [
      "",
      "30",
      "d",
      "1.5h",
      "-1d",
      "1w",
      " 1d",
      "1d ",
      "1D",
      "1d1h",
      "99999999d",
    ]
  ) {
    assert.throws(() => parseDuration(text), RangeError, text);
  }
});

Deno.test("parseBrokerUrl keeps what it takes, and refuses the rest without quoting it", () => {
  assert.equal(parseBrokerUrl("mqtt://u:p%40@h:1"), "mqtt://u:p%40@h:1");
  assert.equal(parseBrokerUrl("mqtt://u@h"), "mqtt://u@h:1883");
  for (
    const text of [
      "",
      "h",
      "mqtt:h",
      "mqtt://h?x",
      "mqtt://h#x",
      "mqtt://u:%@h",
      "mqtt://u:%ff@h",
      "mqtt://h:x",
    ]
  ) {
    assert.throws(() => parseBrokerUrl(text), RangeError, text);
  }
});

Deno.test("parseHttpUrl keeps a path and drops the slash at the end", () => {
  assert.equal(parseHttpUrl("https://h/influx/"), "https://h/influx");
  assert.equal(parseHttpUrl("http://h:8086"), "http://h:8086");
  for (
    const text of [
      "",
      "h",
      "http://",
      "http://h/?a=b",
      "http://h/#a",
      "http://u:p@h",
    ]
  ) {
    assert.throws(() => parseHttpUrl(text), RangeError, text);
  }
});

Deno.test("hideSecrets hides user and password in URLs, broken ones too", () => {
  assert.equal(hideSecrets("mqtt://u:p@h:1"), "mqtt://***@h:1");
  assert.equal(hideSecrets("mqtt://u:p/q@r@h"), "mqtt://***@h");
  assert.equal(hideSecrets("u:p@h"), "***@h");
  assert.equal(hideSecrets("mqtt://h:1"), "mqtt://h:1");
});

Deno.test("hideSecrets hides query and fragment of URLs, broken ones too", () => {
  for (
    const [text, shown] of [
      ["http://h:8086?token=hunter2", "http://h:8086?***"],
      ["http://h:8086/a/?token=hunter2#x", "http://h:8086/a/?***"],
      ["http://h:8086#token=hunter2", "http://h:8086#***"],
      ["http://u:p@h?token=hunter2", "http://***@h?***"],
      ["http://h?token=hunt@er2", "http://***"],
      ["mqtt://u:p?q@h", "mqtt://***"],
      ["h:8086#hunter2", "h:8086#***"],
      ["h?token=hunter2\nhunter2", "h?***"],
    ]
  ) {
    assert.equal(hideSecrets(text!), shown);
  }
  assert.equal(hideSecrets("iiot/#"), "iiot/#");
});
