import assert from "node:assert/strict";
import { secretsOf } from "../../lib/config/config.ts";
import { faultsOf, INFLUXDB, load } from "./load.ts";

const COMMAND = `${INFLUXDB}
[gateway]
command = ["./read-board"]
`;

Deno.test("The keys of a command say how it is run, and its folder is beside config.toml", async () => {
  const { boards } = await load(`${COMMAND}
restart = "on-failure"
env = { TZ = "UTC", PORT = "" }
cwd = "tools"
`);
  const [{ restart, env, cwd } = {}] = boards;
  assert.deepEqual({ restart, env, cwd }, {
    restart: "on-failure",
    env: { TZ: "UTC", PORT: "" },
    cwd: "/etc/gateway/tools",
  });
});

Deno.test("The keys of a command are no other board's", async () => {
  const { boards } = await load(`${COMMAND}
restart = "never"
env = { SERVICE_TOKEN = "t" }
cwd = "/srv"
[[board]]
name = "yard"
command = ["cat"]
`);
  const [, yard] = boards;
  assert.equal(yard?.name, "yard");
  for (const key of ["restart", "env", "cwd"] as const) {
    assert.equal(yard?.[key], undefined, key);
  }
});

Deno.test("The keys of a command are a fault where there is none", async () => {
  assert.deepEqual(
    await faultsOf(`${INFLUXDB}
[gateway]
chip = "STM32F446RETx"
firmware_path = "fw.elf"
cwd = "/srv"
env = { TOKEN = "not-shown" }
restart = "never"
`),
    [
      'config.toml:11:7: "gateway.cwd" belongs to "command", which is not there: remove it, or set "command": it is "/srv"',
      'config.toml:12:7: "gateway.env" belongs to "command", which is not there: remove it, or set "command"',
      'config.toml:13:11: "gateway.restart" belongs to "command", which is not there: remove it, or set "command": it is "never"',
    ],
  );
});

Deno.test("The keys of a command in a [gateway] that is no board are a fault, as nobody takes them over", async () => {
  assert.deepEqual(
    await faultsOf(`${INFLUXDB}
[gateway]
restart = "never"
[[board]]
name = "yard"
command = ["cat"]
`),
    [
      'config.toml:9:11: "gateway.restart" belongs to "command", which is not there: write it into the [[board]] that has the command: it is "never"',
    ],
  );
});

Deno.test("The faults in a command's environment name the variable and show no value", async () => {
  const faults = await faultsOf(`${COMMAND}
restart = "sometimes"
env = { PASSWORD = 4711, "a b" = "x" }
`);
  assert.deepEqual(faults, [
    'config.toml:11:11: "gateway.restart" must be "always", "on-failure", or "never": it is "sometimes"',
    'config.toml:12:20: "gateway.env.PASSWORD" must be a string',
    'config.toml:12:26: The key "gateway.env.a b" must be the name of an environment variable: A-Z a-z 0-9 _, the first no digit',
  ]);
});

Deno.test("What a command's environment keeps secret is hidden in the log, and no port is", async () => {
  const config = await load(
    `${COMMAND}env = { SERVICE_TOKEN = "hush", PORT = "/dev/ttyACM0", ApiKey = "key-1" }\n`,
  );
  const secrets = secretsOf(config);
  assert.ok(secrets.includes("hush") && secrets.includes("key-1"));
  assert.ok(!secrets.includes("/dev/ttyACM0"));
});

Deno.test("Two boards may run one program where environment or folder tell them apart", async () => {
  const board = (name: string, more: string) =>
    `[[board]]\nname = "${name}"\ncommand = ["read-board"]\n${more}\n`;
  const first = board("one", 'env = { PORT = "1" }');
  const load2 = (more: string) =>
    faultsOf(INFLUXDB + first + board("two", more));
  assert.deepEqual(await load2('env = { PORT = "2" }'), []);
  assert.deepEqual(await load2('cwd = "two"\nenv = { PORT = "1" }'), []);
  const [fault] = await load2('env = { PORT = "1" }');
  assert.match(fault ?? "", /"board\[1\]\.command" must not be that of/);
});
