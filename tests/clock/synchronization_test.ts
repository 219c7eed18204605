import assert from "node:assert/strict";
import {
  askSystem,
  type SynchronizationOptions,
} from "../../lib/clock/synchronization.ts";

const NOW_MS = 1_700_000_000_000;
const NOW_S = NOW_MS / 1000;
const NORMAL =
  `C0248F97,192.36.143.151,2,${NOW_S}.123456789,-0.000012345,0.000001,0.00002,-11.2,0.001,0.03,0.012,0.0004,64.2,Normal\n`;

interface System {
  readonly touchedMs?: number;
  readonly chronyc?: string;
  readonly timedatectl?: string;
}

function ask(
  { touchedMs, ...outputs }: System,
  options: SynchronizationOptions = {},
): Promise<string | null> {
  return askSystem({
    wall: () => NOW_MS,
    touched: () => Promise.resolve(touchedMs),
    output: ([program]) =>
      Promise.resolve(outputs[program as keyof typeof outputs]),
    ...options,
  });
}

Deno.test("askSystem takes nobody's word where nobody is", async () => {
  assert.equal(await ask({}), null);
});

Deno.test("askSystem knows of timesyncd by the file that it touches", async () => {
  assert.equal(await ask({ touchedMs: NOW_MS - 5e6 }), "timesyncd");
  // The clock was set back since.
  assert.equal(await ask({ touchedMs: NOW_MS + 3_600_000 }), null);
  const since = { sinceMs: NOW_MS - 500 };
  assert.equal(await ask({ touchedMs: NOW_MS - 3_600_000 }, since), null);
  assert.equal(await ask({ touchedMs: NOW_MS - 2_000 }, since), "timesyncd");
});

Deno.test("askSystem knows of chrony while it follows a reference and has nothing to slew", async () => {
  const chrony = (change: (columns: string[]) => void) => {
    const columns = NORMAL.trim().split(",");
    change(columns);
    return ask({ chronyc: columns.join(",") + "\n" });
  };
  assert.equal(await chrony(() => {}), "chrony");
  assert.equal(await chrony((c) => c[13] = "Insert second"), "chrony");
  assert.equal(await chrony((c) => c[13] = "Not synchronised"), null);
  assert.equal(await chrony((c) => c[0] = "00000000"), null);
  assert.equal(await chrony((c) => c[0] = "7F7F0101"), null);
  assert.equal(await chrony((c) => c[4] = "-3600.5"), null);
  assert.equal(await ask({ chronyc: "506 Cannot talk to daemon\n" }), null);
  // Measured before somebody set the clock by hand.
  const since = { sinceMs: NOW_MS + 3_600_000, wall: () => NOW_MS + 3_600_000 };
  assert.equal(await ask({ chronyc: NORMAL }, since), null);
});

Deno.test("askSystem knows of any other daemon by the kernel's word", async () => {
  assert.equal(
    await ask({ timedatectl: "NTPSynchronized=yes\n" }),
    "timedatectl",
  );
  assert.equal(await ask({ timedatectl: "NTPSynchronized=no\n" }), null);
});

Deno.test("askSystem asks the real system without a fault, whatever is installed", async () => {
  const by = await askSystem();
  assert.ok(by === null || typeof by === "string");
  const signal = AbortSignal.abort();
  await askSystem({ signal });
});
