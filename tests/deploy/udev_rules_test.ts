import assert from "node:assert/strict";
import { KNOWN_PROBES } from "../../lib/source/usb.ts";

const FOLDER = new URL("../../deploy/", import.meta.url);
const NAME = "69-probe-rs.rules";

Deno.test("The udev rules are read before 73-seat-late.rules, which hands out what they tag", async () => {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(FOLDER)) {
    if (name.endsWith(".rules")) names.push(name);
  }
  assert.deepEqual(names, [NAME]);
  assert(Number.parseInt(NAME) < 73);
});

Deno.test("Each udev rule gives its probe to whoever sits there and to plugdev", async () => {
  const text = await Deno.readTextFile(new URL(NAME, FOLDER));
  const rules = text.split("\n").filter((line) =>
    line !== "" && !line.startsWith("#")
  );
  const pair =
    /^(ACTION|SUBSYSTEM|ATTRS\{\w+\}|MODE|GROUP|TAG|GOTO|LABEL)(==|!=|\+=|=)"[^"]+"$/;
  for (const rule of rules) {
    for (const one of rule.split(", ")) assert.match(one, pair, rule);
  }
  const probes = rules.filter((rule) => rule.startsWith("ATTRS"));
  for (const rule of probes) {
    assert(
      rule.endsWith(', MODE="0660", GROUP="plugdev", TAG+="uaccess"'),
      rule,
    );
  }
  const jumps = rules.filter((rule) => rule.includes("GOTO="));
  assert.equal(
    jumps.every((rule) => rule.endsWith('GOTO="probe_rs_end"')),
    true,
  );
  assert.equal(rules.at(-1), 'LABEL="probe_rs_end"');
  assert.equal(rules.length, probes.length + jumps.length + 1);
});

Deno.test("The udev rules know the guide's ST-Link and every probe that check knows", async () => {
  const text = await Deno.readTextFile(new URL(NAME, FOLDER));
  const knows = (vendor: string, product: string) =>
    text.split("\n").some((line) =>
      line.startsWith(`ATTRS{idVendor}=="${vendor}"`) &&
      (!line.includes("idProduct") ||
        /idProduct\}=="([^"]+)"/.exec(line)![1]!.split("|").includes(product))
    );
  for (const [vendor, { products }] of Object.entries(KNOWN_PROBES)) {
    for (const product of products) {
      assert(knows(vendor, product), `${vendor}:${product}`);
    }
  }
  assert(knows("1366", "0105"));
  assert(knows("0483", "374b"));
  assert(!knows("0483", "5740"), "A board's own serial port is no probe");
  assert.match(text, /^ATTRS\{product\}=="\*CMSIS-DAP\*"/m);
});
