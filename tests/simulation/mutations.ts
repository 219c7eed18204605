/**
 * `deno run -A tests/simulation/mutations.ts [WORD]`: breaks the core in ways that lose, double or
 * misplace readings, one after the other, and says whether the simulation notices. Exit code 1 if it
 * misses one, or if one cannot be made any more.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Seeds for each mutation. */
const SEEDS = 2000;

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: "the cursor passes one row too many",
    file: "journal/cursor.ts",
    from: "const last = rows[settlement.done - 1];",
    to: "const last = rows[settlement.done] ?? rows[settlement.done - 1];",
  },
  {
    name: "what is not acknowledged counts as done when the link is lost",
    file: "sink/mqtt_batch.ts",
    from: ": this.#leftOf.findIndex((left) => left > 0);",
    to: ": this.#leftOf.findIndex((left) => left > 1);",
  },
  {
    name: "an answer other than 204 counts as stored",
    file: "sink/influxdb.ts",
    from:
      'if (answer.kind !== "failure" || !refusesToken(error)) return answer;',
    to: "return undefined;",
  },
  {
    name: "old values are retained",
    file: "journal/boards.ts",
    from: "return newest === undefined || newest === row.seq;",
    to: "return true || newest === row.seq;",
  },
  {
    name: "eviction books one reading too few",
    file: "journal/pruner.ts",
    from: 'ledger.lose("evicted", readings);',
    to: 'ledger.lose("evicted", readings - 1);',
  },
  {
    name: "eviction takes rows that a sink has in its hands",
    file: "journal/retention.ts",
    from: "seq > from && seq <= to);",
    to: "seq > from && seq < to);",
  },
  {
    name: "rows are given out before the commit is answered",
    file: "journal/journal.ts",
    from: "this.#newest = at;",
    to:
      "this.#newest = at; this.#recent.push(row); this.#committedSeq = row.seq; for (const one of this.#listeners) one();",
  },
  {
    name: "rows of a commit that was reported as failed are given out",
    file: "journal/journal.ts",
    from: "seq <= this.#committedSeq && !isIn(seq, before) &&",
    to: "!isIn(seq, before) &&",
  },
  {
    name: "rows are committed without being synced",
    file: "journal/pending.ts",
    from: "this.urgent || this.#rows.length > 0",
    to: "this.urgent",
  },
  {
    name: "the time is made anew at each try",
    file: "sink/line_protocol.ts",
    from: "${head}${value} ${row.timeUs}",
    to: "${head}${value} ${Date.now() * 1000 + row.seq}",
  },
  {
    name: "a step of the clock opens no epoch",
    file: "clock/clock.ts",
    from: "const STEP_US = 1_000_000;",
    to: "const STEP_US = 1e15;",
  },
  {
    name: "a wake-up of the bell is lost",
    file: "forwarder/bell.ts",
    from: "this.#rung = true;",
    to: "this.#rung = this.#wake !== undefined;",
  },
  {
    name: "a commit rings no bell",
    file: "forwarder/forwarder.ts",
    from: "onCommit(() => this.#bell.ring());",
    to: "onCommit(() => {});",
  },
  {
    name: "batches go out in the wrong order",
    file: "sink/mqtt_batch_queue.ts",
    from: "this.#batches.push(batch);",
    to: "this.#batches.splice(1, 0, batch);",
  },
  {
    name: "what a failed session had is not given out again",
    file: "forwarder/forwarder.ts",
    from: "cursor.giveBack();",
    to: "",
  },
  {
    name: "a batch goes out behind one that has failed",
    file: "forwarder/forwarder.ts",
    from: "if (hasFailed(flights)) return undefined;",
    to: "",
  },
  {
    name: "epochs are written after their rows",
    file: "journal/pending.ts",
    from: "const epochs = this.epochs.splice(0);",
    to: "const epochs = this.#rows.length > 0 ? [] : this.epochs.splice(0);",
  },
  {
    name: "a commit that failed is forgotten",
    file: "journal/committer.ts",
    from: "if (!this.#patient) throw error;",
    to: "if (failures > 1) return { usedBytes: 0 };",
  },
  {
    name: "parked readings are forgotten by the table",
    file: "journal/refused.ts",
    from: "if (parked.length === 0) return;",
    to: "if (parked.length < 3) return;",
  },
  {
    name: "parked readings are tried only when the board speaks",
    file: "forwarder/forwarder.ts",
    from: "parkedTimer = setTimeout(() => this.#bell.ring(), parkedRetryMs);",
    to: "",
  },
  {
    name: "a refused line is given up although nothing was accepted",
    file: "sink/influxdb_batch.ts",
    from: '(state === "suspect" && !this.#accepted)',
    to: "false",
  },
  {
    name: "acknowledgements that never come are waited for",
    file: "sink/ack_deadline.ts",
    from: "return this.#options.onSilence();",
    to: "return;",
  },
  {
    name: "the newest values are not told to a broker that forgot them",
    file: "sink/mqtt.ts",
    from:
      "session.restate(retained().filter(({ seq }) => seq <= deliveredTo));",
    to: "",
  },
  {
    name: "rows that are being deleted are given out of memory",
    file: "journal/journal.ts",
    from: "this.#pages.forget(seq);",
    to: "",
  },
  {
    name: "the end of a page is taken for all there is",
    file: "journal/pages.ts",
    from: "return isEnough ? rows.slice(from) : [];",
    to: "return rows.slice(isEnough ? from : from);",
  },
];

const root = fileURLToPath(new URL("../../", import.meta.url));
const [word = ""] = Deno.args;
const folder = await Deno.makeTempDir({ prefix: "mutations-" });
let missed = 0;
try {
  await copy("");
  for (const mutation of MUTATIONS) {
    if (mutation.name.includes(word) && !await isFound(mutation)) missed++;
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exitCode = missed === 0 ? 0 : 1;

async function isFound({ name, file, from, to }: Mutation): Promise<boolean> {
  const path = join(folder, "lib", file);
  const text = await Deno.readTextFile(path);
  if (!text.includes(from)) {
    say(`CANNOT BE MADE: ${name}: ${file} has no "${from}"`);
    return false;
  }
  await Deno.writeTextFile(path, text.replace(from, () => to));
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      join(folder, "tests/simulation/simulation.ts"),
      `--seeds=${SEEDS}`,
      "--failures=1",
    ],
    stdout: "piped",
  }).output();
  await Deno.writeTextFile(path, text);
  const [line = ""] = /^Seed .*VIOLATED.*$/m.exec(
    new TextDecoder().decode(stdout),
  ) ?? [];
  say(`${code === 0 ? "MISSED" : "found"}: ${name}. ${line}`);
  return code !== 0;
}

/** Copies what the simulation needs. */
async function copy(path: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(join(root, path))) {
    const one = path === "" ? name : `${path}/${name}`;
    if (!/^(lib|tests|tests\/simulation|deno\.(json|lock))(\/|$)/.test(one)) {
      if (!/^lib\/|^tests\/simulation\//.test(one)) continue;
    }
    if (one.startsWith("tests/") && !one.startsWith("tests/simulation")) {
      continue;
    }
    if (isDirectory) {
      await Deno.mkdir(join(folder, one));
      await copy(one);
    } else await Deno.copyFile(join(root, one), join(folder, one));
  }
}

function say(line: string): void {
  // deno-lint-ignore no-console -- this is a program of its own
  console.log(line);
}
