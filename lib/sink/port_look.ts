/**
 * What answers on a port where it was not what we wanted: to say which letter of the address is wrong.
 *
 * @module
 */

/** What was found: the language that the port speaks, or nothing that we know. */
export type Language = "TLS" | "MQTT" | "HTTP" | undefined;

/** Longer than a server in the same building takes, in milliseconds. */
const WITHIN_MS = 2_000;

/** A ClientHello of TLS 1.2 (RFC 5246, section 7.4.1.2): whoever speaks TLS answers it, if with an alert. */
const CLIENT_HELLO = Uint8Array.of(
  ...[0x16, 3, 1, 0, 49, 1, 0, 0, 45, 3, 3],
  ...new Array(32).fill(0x55),
  ...[0, 0, 6, 0xc0, 0x2f, 0xc0, 0x30, 0, 0x9c, 1, 0],
);
/** A CONNECT of MQTT 3.1.1, without a client id. */
const CONNECT = Uint8Array.of(
  ...[0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 15, 0, 0],
);

/** Asks the port in each language until it answers. Does not reject. */
export async function whatAnswers(
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<Language> {
  const [hello, connect] = await Promise.all(
    [CLIENT_HELLO, CONNECT].map((words) =>
      firstByte(hostname, port, words, signal)
    ),
  );
  // A handshake, or an alert.
  if (hello === 0x16 || hello === 0x15) return "TLS";
  if (connect === 0x20) return "MQTT";
  return hello === HTTP || connect === HTTP ? "HTTP" : undefined;
}

const HTTP = "H".charCodeAt(0);

/** The first byte of the answer to `words`; undefined where there is none. */
async function firstByte(
  hostname: string,
  port: number,
  words: Uint8Array,
  signal: AbortSignal,
): Promise<number | undefined> {
  let connection: Deno.TcpConn | undefined;
  const close = () => {
    try {
      connection?.close();
    } catch {
      // It is closed already.
    }
  };
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
  deadline.addEventListener("abort", close);
  try {
    connection = await Deno.connect({ hostname, port, signal: deadline });
    await connection.write(words);
    const answer = new Uint8Array(1);
    return await connection.read(answer) === null ? undefined : answer[0];
  } catch {
    return undefined;
  } finally {
    deadline.removeEventListener("abort", close);
    close();
  }
}
