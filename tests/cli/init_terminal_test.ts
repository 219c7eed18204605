/**
 * `iiot-gateway init` as somebody at a terminal meets it.
 *
 * @module
 */

import { makeFirmware } from "../elf.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import { installStandIn } from "../../lib/cli/stand_in_script.ts";
import { loadConfig } from "../../lib/config/config.ts";
import { requires } from "../servers.ts";
import { PROGRAMS } from "./program.ts";
import { TerminalSession } from "./terminal_session.ts";

/** Answers one question after the other. */
class Talk implements AsyncDisposable {
  readonly folder: string;
  readonly #session: TerminalSession;

  private constructor(folder: string, session: TerminalSession) {
    this.folder = folder;
    this.#session = session;
  }

  static async begin(
    command: readonly string[],
    args: readonly string[] = [],
  ): Promise<Talk> {
    const folder = await Deno.makeTempDir();
    await Deno.mkdir(join(folder, "bin"));
    await Deno.writeFile(join(folder, "fw.elf"), makeFirmware());
    await installStandIn(join(folder, "bin"), { state: join(folder, "state") });
    const config = ["--config", join(folder, "config.toml")];
    const session = new TerminalSession(
      [...command, "init", ...config, ...args],
      {
        columns: 120,
        rows: 100,
        env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin` },
      },
    );
    return new Talk(folder, session);
  }

  /** All that was written. */
  get all(): string {
    return this.#session.all;
  }

  /** Types `keys` and Enter when `question` is asked. */
  async answer(question: RegExp, keys = ""): Promise<void> {
    await this.#type(
      question,
      keys,
      () => !this.#session.shows(asked(question)),
    );
  }

  /** Gives an answer that brings `complaint`. */
  async answerWrong(
    question: RegExp,
    keys: string,
    complaint: RegExp,
  ): Promise<void> {
    await this.#type(question, keys, () => this.#session.shows(complaint));
  }

  /** Types once more where nothing came of it: Deno 2.6 loses keys now and then that come with the question. */
  async #type(
    question: RegExp,
    keys: string,
    isAnswered: () => boolean,
  ): Promise<void> {
    await this.#session.until(() => this.#session.shows(asked(question)));
    for (let tries = 0; tries < 3; tries++) {
      await this.#session.type(`${keys}\r`);
      if (await this.#session.within(7_000, isAnswered)) return;
    }
    await this.#session.until(isAnswered);
  }

  end(): Promise<number> {
    return this.#session.end();
  }

  async names(): Promise<string[]> {
    return (await Array.fromAsync(Deno.readDir(this.folder)))
      .map(({ name }) => name)
      .filter((name) => !["bin", "fw.elf", "state"].includes(name))
      .toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** What waits for an answer has the sign of the active question before it. */
function asked(question: RegExp): RegExp {
  return new RegExp(`^◆ {2}.*${question.source}`);
}

for (const { form, command } of PROGRAMS) {
  Deno.test({
    name:
      `init asks at a terminal for all that it needs, and keeps the secrets apart (${form})`,
    ...requires("script"),
    fn: async () => {
      await using talk = await Talk.begin(command);
      await talk.answerWrong(
        /MQTT broker/,
        "broker.example",
        /^■ {2}It must be mqtt:\/\/HOST:PORT/,
      );
      await talk.answer(
        /MQTT broker/,
        `${"\x7f".repeat(14)}mqtt://broker.example`,
      );
      await talk.answer(/Topic prefix/, "plant");
      await talk.answer(/Client id/);
      await talk.answer(/User name/, "gw");
      await talk.answer(/Where is the password/);
      await talk.answer(/The password of the broker/, "geheim-1");
      await talk.answer(/InfluxDB 2/);
      await talk.answer(/organization/);
      await talk.answer(/bucket/);
      await talk.answer(/Where is the token/);
      await talk.answer(/The token of InfluxDB/, "geheim-2");
      await talk.answer(/What prints/);
      await talk.answer(/Which debug probe/);
      await talk.answer(/The board's chip/, "446re");
      await talk.answerWrong(
        /ELF file/,
        join(talk.folder, "no.elf"),
        /^■ {2}It must be the firmware's ELF file/,
      );
      await talk.answer(/ELF file/, `${"\x7f".repeat(6)}fw.elf`);
      assert.equal(await talk.end(), 0);
      assert.match(talk.all, / check --config /);
      assert.doesNotMatch(talk.all, /geheim/);
      assert.deepEqual(await talk.names(), [
        "config.toml",
        "influxdb_token",
        "mqtt_password",
      ]);
      for (const name of ["influxdb_token", "mqtt_password"]) {
        const { mode } = await Deno.stat(join(talk.folder, name));
        assert.equal((mode ?? 0) & 0o777, 0o600, name);
      }
      const text = await Deno.readTextFile(join(talk.folder, "config.toml"));
      assert.doesNotMatch(text, /geheim/);
      const { mqtt, influxdb, boards: [board] } = await loadConfig(
        join(talk.folder, "config.toml"),
        { env: () => undefined, hostname: () => "" },
      );
      assert.deepEqual(mqtt?.broker_url, ["mqtt://broker.example:1883"]);
      assert.equal(mqtt?.topic_prefix, "plant");
      assert.equal(mqtt?.password, "geheim-1");
      assert.equal(influxdb?.token, "geheim-2");
      assert.match(board?.probe_id ?? "", /^0483:374b:/);
      assert.equal(board?.chip, "STM32F446RETx");
      assert.equal(board?.firmware_path, join(talk.folder, "fw.elf"));
    },
  });

  Deno.test({
    name:
      `init asks at a terminal only for what no flag gives, a command instead of probe-rs too (${form})`,
    ...requires("script"),
    fn: async () => {
      await using talk = await Talk.begin(command, [
        ...["--broker", "mqtt://127.0.0.1", "--client-id", "c"],
        ...["--topic-prefix", "iiot", "--influxdb", "none", "--username", ""],
      ]);
      await talk.answer(/What prints/, "\x1b[B");
      await talk.answer(/The command/, "cat /dev/null");
      assert.equal(await talk.end(), 0);
      const { boards: [board] } = await loadConfig(
        join(talk.folder, "config.toml"),
        { env: () => undefined, hostname: () => "" },
      );
      assert.deepEqual(board?.command, ["cat", "/dev/null"]);
    },
  });

  Deno.test({
    name: `init writes nothing where a question is left by Ctrl-C (${form})`,
    ...requires("script"),
    fn: async () => {
      await using talk = await Talk.begin(command);
      await talk.answer(/MQTT broker/);
      await talk.answerWrong(/Topic prefix/, "\x03", /^Nothing was written\.$/);
      assert.equal(await talk.end(), 1);
      assert.match(talk.all, /Nothing was written\./);
      assert.ok(
        talk.all.lastIndexOf("\x1b[?25h") > talk.all.lastIndexOf("\x1b[?25l"),
      );
      assert.deepEqual(await talk.names(), []);
    },
  });

  Deno.test({
    name:
      `init overwrites no file that came while it asked, and leaves no secret behind then (${form})`,
    ...requires("script"),
    fn: async () => {
      await using talk = await Talk.begin(command, [
        ...["--broker", "mqtt://127.0.0.1", "--client-id", "c"],
        ...["--topic-prefix", "iiot", "--influxdb", "none", "--username", "u"],
      ]);
      await talk.answer(/Where is the password/);
      await talk.answer(/The password of the broker/, "geheim");
      const config = join(talk.folder, "config.toml");
      await Deno.writeTextFile(config, "mine");
      await talk.answer(/What prints/, "\x1b[B");
      await talk.answer(/The command/, "cat /dev/null");
      assert.equal(await talk.end(), 2);
      assert.match(talk.all, /is there already, and is never overwritten/);
      assert.equal(await Deno.readTextFile(config), "mine");
      assert.deepEqual(await talk.names(), ["config.toml"]);
    },
  });
}
