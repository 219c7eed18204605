import assert from "node:assert/strict";
import {
  LineSurvey,
  type Survey,
} from "../../lib/cli/capture/captured_lines.ts";
import { findObject, leavesOf } from "../../lib/cli/capture/json_in_line.ts";

const FIRMWARE = new URL("../testdata/firmware/", import.meta.url);

function survey(lines: readonly string[]): Survey {
  const survey = new LineSurvey();
  for (const line of lines) survey.add(line);
  return survey.result;
}

async function surveyOf(name: string): Promise<Survey> {
  const text = await Deno.readTextFile(new URL(`${name}.txt`, FIRMWARE));
  return survey(text.trimEnd().split("\n"));
}

/** `motor.on → motor/on boolean`, with the unit that is guessed. */
function guesses({ fields }: Survey): string[] {
  return fields.map(({ proposal: { path, node, name, type, unit } }) =>
    `${path} → ${node}/${name} ${unit ?? type}`
  );
}

Deno.test("A survey of flat JSON without a marker takes each field, also from a line with NaN", async () => {
  const result = await surveyOf("flat");
  assert.equal(result.lines, 6);
  assert.equal(result.packets, 4);
  assert.equal(result.marker, "");
  assert.deepEqual(guesses(result), [
    "temp → device/temperature celsius",
    "hum → device/humidity percent",
    "press → device/pressure pa",
    "co2 → device/co2 ppm",
    "vbat → device/battery_voltage volt",
    "uptime → device/uptime number",
  ]);
  assert.deepEqual(result.fields.map(({ seen }) => seen), [
    "21.4 to 21.5",
    "40 to 41",
    "101325 to 101327",
    "612 to 618",
    "3.7 to 3.71",
    "1 to 4",
  ]);
  assert.equal(result.fields.at(-1)?.proposal.retain, false);
  assert.deepEqual(result.unusable, []);
});

Deno.test("A survey takes nothing out of a panic's message, and no marker that cannot be seen", () => {
  const at = "panicked at src/main.rs:1:1:";
  const { packets, marker, fields } = survey([
    '\u0002DATA: {"t":1}',
    `[ERROR] ${at} Err value: {"code":2}`,
    at,
    'Err value: {"code":2}',
    '[INFO] \u0002DATA: {"t":2}',
    at,
    '\u0002DATA: {"t":3}',
  ]);
  assert.deepEqual([packets, marker], [2, "DATA: "]);
  assert.deepEqual(fields.map(({ proposal: { path } }) => path), ["t"]);
});

Deno.test("A survey of one line takes no time, number or counter before its JSON for the marker", () => {
  const marker = (...lines: string[]) => survey(lines).marker;
  assert.equal(marker('I (1012) wx: {"a":1}'), "wx: ");
  assert.equal(marker('t=5s run 3 DATA {"a":1}'), "DATA ");
  assert.equal(marker('DATA4: {"a":1}'), "");
  assert.equal(marker('DATA4: {"a":1}', 'DATA4: {"a":2}'), "DATA4: ");
});

Deno.test("A survey tells JSON that is broken, and why, from no JSON and from a panic's message", () => {
  const REASONS: [line: string, reason: string | undefined][] = [
    ['{"a":1,}', "A string should stand where } does"],
    ["{'a':1}", "A string should stand where 'a':1} does"],
    ["wx: {'a':1}", "A string should stand where 'a':1} does"],
    ['[wx] {"a":1,', "The line ends where a string should stand"],
    ['I (1012) wx: {"a":1,', "The line ends where a string should stand"],
    ['wx: {"a":\u001b[0m}', "A value should stand where } does"],
    ['{"a":1}', undefined],
    ["Config { baud: 9600 }", undefined],
    ["hello {} {'x', 'y'}", undefined],
    ["temp=21.5 {hum=40}", undefined],
    ["{", undefined],
    ['panicked at src/main.rs:1:1: {"a":1,', undefined],
  ];
  for (const [line, reason] of REASONS) {
    const { broken } = survey([line]);
    assert.deepEqual([broken.count, broken.first?.reason], [
      reason === undefined ? 0 : 1,
      reason,
    ], line);
  }
  const { packets, broken } = survey(['{"a":1}', '{"a":', "{'a':3}"]);
  assert.deepEqual([packets, broken.count, broken.first?.line], [
    1,
    2,
    '{"a":',
  ]);
});

Deno.test("A survey of nested JSON finds the marker, elements of arrays, truths and words, and leaves out ts", async () => {
  const result = await surveyOf("nested");
  assert.equal(result.marker, "TELE ");
  assert.deepEqual(guesses(result), [
    "motor.speed_rpm → motor/speed_rpm rpm",
    "motor.on → motor/on boolean",
    "motor.phase[0].current → motor_phase_0/current ampere",
    "motor.phase[0].v → motor_phase_0/voltage volt",
    "motor.phase[1].current → motor_phase_1/current ampere",
    "motor.phase[1].v → motor_phase_1/voltage volt",
    "motor.phase[2].current → motor_phase_2/current ampere",
    "motor.phase[2].v → motor_phase_2/voltage volt",
    "valves[0] → device/valves_0 boolean",
    "valves[1] → device/valves_1 boolean",
    "state → device/state string",
    "tank.level_pct → tank/level_pct percent",
    "tank.temp_c → tank/temperature celsius",
  ]);
});

Deno.test("A survey of several kinds of packets has the fields of all, and no marker where none is common", async () => {
  const result = await surveyOf("kinds");
  assert.equal(result.packets, 9);
  assert.equal(result.marker, "");
  assert.deepEqual(guesses(result).toSorted(), [
    "acc.x → acc/x number",
    "acc.y → acc/y number",
    "acc.z → acc/z number",
    "err → device/err number",
    "gyro[0] → device/gyro_0 number",
    "gyro[1] → device/gyro_1 number",
    "gyro[2] → device/gyro_2 number",
    "heap_free → device/heap_free number",
    "rh → device/humidity percent",
    "rssi → device/rssi dbm",
    "rx → device/rx number",
    "snr → device/snr db",
    "t → device/temperature celsius",
    "task → device/task string",
    "watchdog → device/watchdog boolean",
  ]);
});

Deno.test("A survey of the guide's later firmware finds what is built in, and nothing new", async () => {
  const result = await surveyOf("guide_later");
  assert.equal(result.marker, "JSON sent via VCP: ");
  assert.equal(result.builtIn, 9);
  assert.deepEqual(result.fields, []);
  assert.deepEqual(result.unusable, []);
});

Deno.test("A survey of key=value lines shows one, and the JSON that it should be", async () => {
  const { packets, keyValue } = await surveyOf("key_value");
  assert.equal(packets, 0);
  assert.deepEqual(keyValue, {
    count: 3,
    first: {
      text: "temp=21.5 hum=40 vbat=3.71",
      json: '{"temp":21.5,"hum":40,"vbat":3.71}',
    },
  });
});

Deno.test("The marker is what stands before every object, from a whole word on", () => {
  const cases: [before: string[], marker: string][] = [
    [["TELE: ", "TELE: "], "TELE: "],
    [["I (12345) main: ", "I (12999) main: "], "main: "],
    [["env data: ", "motor data: "], "data: "],
    [["envdata: ", "motordata: "], ""],
    [["data: ", "envdata: "], ""],
    [["ENV ", "MOT "], ""],
    [["", "TELE: "], ""],
    [["12 ", "13 "], ""],
    [["[INFO ] a: ", "1.5 [WARN ] a: "], "a: "],
    [["10:00:00.000: x ", "x "], "x "],
    [["[Terminal] ", "[Terminal] 12:00:00.000: "], ""],
    [["[Terminal] 0.1 [INFO ] a: ", "0.2 [INFO ] a: "], "a: "],
    [["\x1b[32m[INFO ] a \x1b[0m", "a "], "a "],
  ];
  for (const [before, marker] of cases) {
    const lines = before.map((text) => `${text}{"a":1}`);
    assert.equal(survey(lines).marker, marker, lines.join(" | "));
  }
});

Deno.test("A survey says what it cannot use, and of what it is not sure", () => {
  const { fields, unusable } = survey([
    `x {"gone":null,"long":"${
      "y".repeat(65)
    }","mixed":1,"n1":{"t":271,"h":true},"__proto__":1}`,
    'x {"mixed":"high","n1":{"t":272,"h":false}}',
    'x {"mixed":2}',
  ]);
  assert.deepEqual(fields.map(({ proposal }) => proposal.path), ["mixed"]);
  assert.equal(fields[0]?.proposal.type, "number");
  assert.deepEqual(unusable.map((one) => one.replace(/:.*/, "")), [
    '"gone" was null or no number each time',
    '"long" is a text of more than 64 characters',
    '"mixed" is a number and a text',
    '"n1.t" is -40 to 85 in the built-in metrics, and 271 to 272 here',
    '"n1.h" is a number in the built-in metrics, and true or false here',
    '"__proto__" is no path',
  ]);
});

Deno.test("A survey leaves out ts and id where they are the board's clock and name, and no other", () => {
  const paths = (line: string) =>
    survey([line]).fields.map(({ proposal }) => proposal.path);
  assert.deepEqual(paths('{"ts":12000,"id":"N2","a":1}'), ["a"]);
  assert.deepEqual(paths('{"ts":1.5,"id":3,"a":1}'), ["ts", "id", "a"]);
  assert.deepEqual(paths('{"x":{"ts":1,"id":"y"}}'), ["x.ts", "x.id"]);
});

Deno.test("A survey keeps a bounded number of fields, and says that there are more", () => {
  const line = JSON.stringify(
    Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, i])),
  );
  const { fields, unusable } = survey([line, line]);
  assert.equal(fields.length, 200);
  assert.match(unusable.join(), /^More than 200 fields.*first of them "f200"$/);
});

Deno.test("findObject passes over braces that are no JSON, and what stands behind", () => {
  const cases: [line: string, object: unknown][] = [
    ['{a} {"b":1} {"c":2}', { b: 1 }],
    ['x {"b":"}"}\\n (app src/main.rs:3)', { b: "}" }],
    ['{"b":"\\"{"} y', { b: '"{' }],
    ['{"b":NaN,"c":-inf,"d":"NaN"}', { b: null, c: null, d: "NaN" }],
    ['{"b":{"c":[1,{"d":2}]}}', { b: { c: [1, { d: 2 }] } }],
    ['{"b":1', undefined],
    ["{} {}", undefined],
    ["[1,2]", undefined],
    ["no", undefined],
  ];
  for (const [line, object] of cases) {
    assert.deepEqual(findObject(line)?.object, object, line);
  }
});

Deno.test("leavesOf names every value by its path", () => {
  const object = { a: { "b.c": [1, { d: null }] }, e: true, f: {}, g: [] };
  assert.deepEqual([...leavesOf(object)], [
    { path: 'a["b.c"][0]', value: 1 },
    { path: 'a["b.c"][1].d', value: null },
    { path: "e", value: true },
  ]);
});
