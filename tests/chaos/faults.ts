/**
 * What can go wrong, fault by fault: how long it may last, how it is made, and how it is mended.
 *
 * @module
 */

import { wait } from "../../lib/wait.ts";
import type { Mosquitto, VictoriaMetrics } from "../servers.ts";
import type { TcpProxy } from "../tcp_proxy.ts";
import type { BoardAct } from "./board_files.ts";
import { ANSWER_NAMES, serveAnswer } from "./http_answers.ts";
import type { SinkName, World } from "./world.ts";

/** What goes wrong one thing after the other; the tracks themselves run side by side. */
export type Track =
  | "broker"
  | "database"
  | "gateway"
  | "board"
  | "disk"
  | "clock";

/** A kind of fault. */
export interface Fault {
  readonly track: Track;
  /** Its name in the story. */
  readonly name: string;
  /** How often, compared with others of its track. */
  readonly weight: number;
  /** How long, in milliseconds. */
  readonly ms: readonly [min: number, max: number];
  /** How much, in the unit that `say` names. @default {none} */
  readonly amount?: readonly [min: number, max: number];
  /** `${amount} ${unit}` in the story. */
  readonly unit?: string;
  /** The gateway tries again only after a minute. @default {false} */
  readonly blocks?: boolean;
  /** No fault of the track `gateway` may be under way meanwhile. @default {false} */
  readonly needsGateway?: boolean;
  /** Makes it, waits for `ms` or until `signal` is aborted, and mends it. */
  run(world: World, how: FaultRun): Promise<void>;
}

/** How a fault is made this time. */
export interface FaultRun {
  readonly ms: number;
  readonly amount: number;
  readonly signal: AbortSignal;
}

type Server = Mosquitto | VictoriaMetrics;

/** Faults of the way to a server, and of the server. */
function serverFaults(
  track: "broker" | "database",
  parts: (world: World) => { proxy: TcpProxy; server: Server },
): Fault[] {
  const link = (
    name: string,
    start: (proxy: TcpProxy, amount: number) => unknown,
    more: Partial<Fault> = {},
  ): Fault => ({
    track,
    name,
    weight: 1,
    ms: [200, 8000],
    run: async (world, { ms, amount, signal }) => {
      const { proxy } = parts(world);
      await start(proxy, amount);
      await wait(ms, signal);
      await proxy.mend();
    },
    ...more,
  });
  const cutAfter = (name: string, reset: boolean): Fault => ({
    track,
    name,
    weight: 2,
    ms: [500, 4000],
    amount: [1, 20_000],
    unit: "bytes",
    run: async (world, { ms, amount, signal }) => {
      const { proxy } = parts(world);
      const direction = amount % 2 === 0 ? "toServer" : "toClient";
      // What passes too little to be cut keeps this fault in store.
      void proxy.cutAfter(amount, direction, { reset });
      await wait(ms, signal);
    },
  });
  return [
    link("refuses connections", (proxy) => proxy.cut(), { weight: 2 }),
    link("swallows both ways", (proxy) => proxy.swallow()),
    link("swallows answers", (proxy) => proxy.swallow("toClient")),
    link("hangs (half-open)", (proxy) => proxy.hold()),
    link("is late", (proxy, amount) => proxy.delay(amount), {
      amount: [10, 1500],
      unit: "ms",
    }),
    link("is slow", (proxy, amount) => proxy.throttle(amount), {
      amount: [200, 20_000],
      unit: "bytes/s",
    }),
    link("resets", (proxy) => proxy.reset(), { ms: [1, 2] }),
    cutAfter("is cut after", false),
    cutAfter("is reset after", true),
    {
      track,
      name: "is restarted",
      weight: 2,
      ms: [100, 5000],
      run: async (world, { ms, signal }) => {
        const { server } = parts(world);
        await server.stop();
        await wait(ms, signal);
        await server.start();
      },
    },
    {
      track,
      name: "stands still (SIGSTOP)",
      weight: 1,
      ms: [200, 6000],
      run: async (world, { ms, signal }) => {
        const { pid } = parts(world).server;
        if (pid === undefined) return;
        Deno.kill(pid, "SIGSTOP");
        await wait(ms, signal);
        Deno.kill(pid, "SIGCONT");
      },
    },
  ];
}

/** Answers that no VictoriaMetrics gives. */
function answerFaults(): Fault[] {
  return ANSWER_NAMES.map((answer) => ({
    track: "database",
    name: `answers ${answer}`,
    weight: 0.6,
    ms: [500, 5000],
    blocks: /^40|portal|redirect/.test(answer),
    run: async (world, { ms, signal }) => {
      const { databaseProxy: proxy, victoria } = world;
      await proxy.cut();
      {
        const { port } = proxy;
        await using _server = serveAnswer(answer, { port, url: victoria.url });
        await wait(ms, signal);
      }
      await proxy.mend();
    },
  }));
}

const GATEWAY_FAULTS: Fault[] = [
  {
    track: "gateway",
    name: "is killed (SIGKILL)",
    weight: 4,
    ms: [1, 3000],
    run: async (world, { ms, signal }) => {
      await world.gateway.kill();
      await wait(ms, signal);
      world.gateway.start();
    },
  },
  ...(["SIGTERM", "SIGINT", "SIGHUP"] as const).map((name): Fault => ({
    track: "gateway",
    name: `is stopped (${name})`,
    weight: 1,
    ms: [1, 3000],
    run: async (world, { ms, signal }) => {
      await world.stopGateway(name);
      await wait(ms, signal);
      world.gateway.start();
    },
  })),
  {
    track: "gateway",
    name: "stands still (SIGSTOP)",
    weight: 1.5,
    ms: [300, 6000],
    run: async (world, { ms, signal }) => {
      world.gateway.freeze();
      await wait(ms, signal);
      world.gateway.thaw();
    },
  },
  ...(["mqtt", "influxdb"] as const).map((sink): Fault => ({
    track: "gateway",
    name: `is restarted without [${sink}], and again with it`,
    weight: 0.5,
    ms: [2000, 8000],
    run: async (world, { ms, signal }) => {
      const sinks: readonly SinkName[] = ["mqtt", "influxdb"];
      await world.stopGateway("SIGTERM");
      await world.configure(sinks.filter((one) => one !== sink));
      world.gateway.start();
      await wait(ms, signal);
      await world.stopGateway("SIGTERM");
      await world.configure(sinks);
      world.gateway.start();
    },
  })),
];

const BOARD_FAULTS: Fault[] = [
  {
    track: "board",
    name: "is killed",
    weight: 1,
    ms: [1, 2],
    run: async (world) => {
      if (!await world.gateway.killBoard()) world.say("no board runs");
    },
  },
  {
    track: "board",
    name: "floods",
    weight: 2,
    ms: [500, 5000],
    amount: [100, 300],
    unit: "packets/s",
    run: async (world, { ms, amount, signal }) => {
      await world.setRate(amount);
      await wait(ms, signal);
      await world.setUsualRate();
    },
  },
  {
    track: "board",
    name: "is silent",
    weight: 1,
    ms: [500, 5000],
    run: async (world, { ms, signal }) => {
      await world.setRate(0);
      await wait(ms, signal);
      await world.setUsualRate();
    },
  },
  ...([
    ["garbage", "prints garbage"],
    ["torn", "prints a packet in two pieces"],
    ["half", "prints half a packet and ends"],
    ["fail", "fails"],
    ["stall", "stalls for 3 s"],
  ] satisfies [BoardAct, string][]).map(([kind, name]): Fault => ({
    track: "board",
    name,
    weight: 1,
    ms: [100, 200],
    run: async (world, { ms, signal }) => {
      await world.act(kind);
      await wait(ms, signal);
    },
  })),
];

const DISK_FAULTS: Fault[] = [
  {
    track: "disk",
    name: "is full",
    weight: 3,
    ms: [500, 6000],
    run: async (world, { ms, signal }) => {
      await world.disk.fill();
      await wait(ms, signal);
      await world.disk.unfill();
    },
  },
  {
    track: "disk",
    name: "is read-only at a start",
    weight: 1,
    ms: [1000, 6000],
    needsGateway: true,
    run: async (world, { ms, signal }) => {
      await world.stopGateway("SIGTERM");
      await world.disk.setReadOnly(true);
      world.gateway.start();
      await wait(ms, signal);
      await world.disk.setReadOnly(false);
      await world.stopGateway("SIGTERM");
      world.gateway.start();
    },
  },
];

const CLOCK_FAULTS: Fault[] = [
  {
    track: "clock",
    name: "steps by",
    weight: 2,
    ms: [2000, 8000],
    amount: [2, 7200],
    unit: "s",
    run: async (world, { ms, amount, signal }) => {
      await world.gateway.setClock(amount % 2 === 0 ? amount : -amount);
      await wait(ms, signal);
      await world.gateway.setClock(0);
    },
  },
];

/** Every kind of fault. */
export const FAULTS: readonly Fault[] = [
  ...serverFaults("broker", ({ brokerProxy: proxy, mosquitto: server }) => ({
    proxy,
    server,
  })),
  ...serverFaults("database", ({ databaseProxy: proxy, victoria: server }) => ({
    proxy,
    server,
  })),
  ...answerFaults(),
  ...GATEWAY_FAULTS,
  ...BOARD_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
];
