/**
 * What a running process asks the kernel to put on a disk or into a socket, counted by strace. That
 * slows the process down: nothing else is to be measured meanwhile.
 *
 * @module
 */

import { findProgram } from "../servers.ts";

/** System calls of a process between two moments. */
export interface SystemCalls {
  /** `fsync` and `fdatasync`, of any file. */
  readonly syncs: number;
  /** Calls that wrote something to a TCP port of 127.0.0.1, MQTT's pings left out. */
  writesTo(port: number): number;
}

/** Counts until it is ended. */
export interface SystemCallCounter extends AsyncDisposable {
  /** What was called since the start. */
  end(): Promise<SystemCalls>;
}

const CALLS = "trace=fsync,fdatasync,write,writev,sendto,sendmsg";
/** A PINGREQ packet, as strace shows it. */
const PING = String.raw`"\300\0"`;

/**
 * Begins to count the calls of all threads of `pid`; comes when strace has attached to it.
 *
 * @param file where the calls are written down
 * @throws {Error} if strace does not start
 */
export async function countCalls(
  pid: number,
  file: string,
): Promise<SystemCallCounter> {
  const strace = new Deno.Command(findProgram("strace"), {
    args: ["-f", "-yy", "-s", "64", "-e", CALLS, "-o", file, "-p", `${pid}`],
    stderr: "piped",
  }).spawn();
  const said = strace.stderr.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes("attached");) {
    const { value, done } = await said.read();
    if (done) throw new Error(`strace counts nothing: ${text}`);
    text += value;
  }
  let ended: Promise<void> | undefined;
  const end = () =>
    ended ??= (async () => {
      strace.kill("SIGINT");
      while (!(await said.read()).done);
      await strace.status;
    })();
  return {
    end: async () => {
      await end();
      return callsIn(await Deno.readTextFile(file));
    },
    [Symbol.asyncDispose]: end,
  };
}

/** The calls of a text that strace made with `-f -yy`. */
export function callsIn(trace: string): SystemCalls {
  // A call that another thread's interrupts has a second line, `… resumed`, without its name before a "(".
  const calls = trace.split("\n").map((line) => line.replace(/^\d+\s+/, ""));
  return {
    syncs: calls.filter((call) => /^f(data)?sync\(/.test(call)).length,
    writesTo: (port) => {
      const socket = new RegExp(
        String
          .raw`^(write|writev|sendto|sendmsg)\(\d+<TCP:\[[^\]]*->127\.0\.0\.1:${port}\]>`,
      );
      return calls.filter((call) => socket.test(call) && !call.includes(PING))
        .length;
    },
  };
}
