/**
 * What a process has used so far, by Linux's own books in /proc. Nothing is started and the process is
 * not touched: reading costs it nothing.
 *
 * @module
 */

/** Clock ticks a second in /proc/PID/stat: `getconf CLK_TCK`, 100 on every Linux. */
const TICKS_PER_S = 100;

/** One thread. */
export interface ThreadUsage {
  /** `deno` or the executable's name for the first, `worker-1` for the journal's worker. */
  readonly name: string;
  readonly threadId: number;
  /** User and system time, in milliseconds; the kernel counts in steps of 10. */
  readonly cpuMs: number;
  /** User and system time in milliseconds, exact to the nanosecond where the kernel keeps it, else as {@linkcode cpuMs}. */
  readonly runMs: number;
  /** How often it has gone to sleep by itself: voluntary context switches, so each is a wake-up later. */
  readonly sleeps: number;
}

/** A process; its children are counted only where it is said. */
export interface ProcessUsage {
  /** When this was read, in milliseconds of `performance.now()`. */
  readonly atMs: number;
  /** User and system time of all threads, also of those that have ended; milliseconds in steps of 10. */
  readonly cpuMs: number;
  /** User and system time of its children that have ended, in milliseconds in steps of 10. */
  readonly endedChildrenMs: number;
  readonly threads: readonly ThreadUsage[];
  /** Voluntary context switches of the threads that live. */
  readonly sleeps: number;
  /** Resident memory now, in MB of 1,000,000 bytes. */
  readonly residentMb: number;
  /** The most resident memory since it began, in MB of 1,000,000 bytes. */
  readonly mostResidentMb: number;
  /** Bytes that it made the kernel write to disk, in whole pages (`write_bytes`): journal and WAL. */
  readonly diskBytes: number;
  /** Bytes handed to `write` and its like, to files, pipes and sockets (`wchar`). */
  readonly writtenBytes: number;
  /** Calls of `write` and its like; not `send` and `sendmsg` (`syscw`). */
  readonly writes: number;
}

/** @throws {Deno.errors.NotFound} if the process has ended */
export async function readUsage(pid: number): Promise<ProcessUsage> {
  const at = `/proc/${pid}`;
  // One after the other: where the process has ended, nothing is left under way.
  const stat = await Deno.readTextFile(`${at}/stat`);
  const status = await Deno.readTextFile(`${at}/status`);
  const io = await Deno.readTextFile(`${at}/io`);
  const threads = await readThreads(`${at}/task`);
  return {
    atMs: performance.now(),
    ...cpuTimes(stat),
    threads,
    sleeps: threads.reduce((sum, one) => sum + one.sleeps, 0),
    residentMb: field(status, "VmRSS") * 1024 / 1e6,
    mostResidentMb: field(status, "VmHWM") * 1024 / 1e6,
    diskBytes: field(io, "write_bytes"),
    writtenBytes: field(io, "wchar"),
    writes: field(io, "syscw"),
  };
}

/** What was used from `before` to `after`. */
export interface UsageBetween {
  readonly seconds: number;
  readonly cpuMs: number;
  /** Of the first thread: JavaScript of the main loop. Exact, see {@linkcode ThreadUsage.runMs}. */
  readonly mainMs: number;
  /** Of all threads named `worker-…`: the journal's. Exact. */
  readonly workerMs: number;
  /** Of all threads that live at the end. Exact. */
  readonly runMs: number;
  /** Of the same threads. */
  readonly sleeps: number;
  readonly diskBytes: number;
  readonly writtenBytes: number;
  readonly writes: number;
}

/** The difference of two readings of one process. */
export function usageBetween(
  before: ProcessUsage,
  after: ProcessUsage,
): UsageBetween {
  const main = (usage: ProcessUsage) => usage.threads[0]?.runMs ?? 0;
  const worker = ({ threads }: ProcessUsage) =>
    threads.filter(({ name }) => name.startsWith("worker-"))
      .reduce((sum, { runMs }) => sum + runMs, 0);
  const earlier = new Map(before.threads.map((one) => [one.threadId, one]));
  // Thread by thread: of one that has ended meanwhile the sums would lose what it did before.
  const lived = (count: (thread: ThreadUsage) => number) =>
    after.threads.reduce((sum, thread) => {
      const then = earlier.get(thread.threadId);
      return sum + count(thread) - (then === undefined ? 0 : count(then));
    }, 0);
  return {
    seconds: (after.atMs - before.atMs) / 1000,
    cpuMs: after.cpuMs - before.cpuMs,
    mainMs: main(after) - main(before),
    workerMs: worker(after) - worker(before),
    runMs: lived(({ runMs }) => runMs),
    sleeps: lived(({ sleeps }) => sleeps),
    diskBytes: after.diskBytes - before.diskBytes,
    writtenBytes: after.writtenBytes - before.writtenBytes,
    writes: after.writes - before.writes,
  };
}

/** Every thread that lives, the first one first. */
async function readThreads(folder: string): Promise<ThreadUsage[]> {
  const ids: number[] = [];
  for await (const { name } of Deno.readDir(folder)) ids.push(Number(name));
  ids.sort((a, b) => a - b);
  const threads = await Promise.all(ids.map(async (threadId) => {
    const at = `${folder}/${threadId}`;
    try {
      const [stat, status, schedule] = await Promise.all([
        Deno.readTextFile(`${at}/stat`),
        Deno.readTextFile(`${at}/status`),
        Deno.readTextFile(`${at}/schedstat`).catch(() => ""),
      ]);
      const { cpuMs } = cpuTimes(stat);
      return [{
        name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")),
        threadId,
        cpuMs,
        runMs: schedule === "" ? cpuMs : Number(schedule.split(" ")[0]) / 1e6,
        sleeps: field(status, "voluntary_ctxt_switches"),
      }];
    } catch {
      return []; // It ended while we looked.
    }
  }));
  return threads.flat();
}

/** User and system times by the text of a `stat`, in milliseconds in steps of 10. */
export function cpuTimes(
  stat: string,
): Pick<ProcessUsage, "cpuMs" | "endedChildrenMs"> {
  // Behind the name, which may hold anything: utime, stime, cutime and cstime are the 12th to 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields
    .slice(11, 15).map((ticks) => Number(ticks) * 1000 / TICKS_PER_S);
  return {
    cpuMs: user + system,
    endedChildrenMs: childrenUser + childrenSystem,
  };
}

function field(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1];
  if (found === undefined) throw new Error(`"${name}" is not in ${text}`);
  return Number(found);
}
