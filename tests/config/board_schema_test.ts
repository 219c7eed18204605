import assert from "node:assert/strict";
import { mayBeOneProbe } from "../../lib/config/board_schema.ts";

const SERIAL = "066DFF3833584B3043115433";

Deno.test("mayBeOneProbe sees one probe behind two ways to write it", () => {
  for (
    const [one, other] of [
      ["0483:374b", "0483:374b"],
      ["0483:374b", "483:374B"],
      ["0483:374b", `0483:374b:${SERIAL}`],
      ["0483:374b-1", `0483:374b:${SERIAL}`],
      [`0483:374b:${SERIAL}`, `0483:374B:${SERIAL.toLowerCase()}`],
      [`0483:374b-01:${SERIAL}`, `0483:374b-1:${SERIAL}`],
      ["303a:1001:DC:DA:0C:D3:FE:D8", "303A:1001:dc:da:0c:d3:fe:d8"],
    ] as const
  ) {
    assert(mayBeOneProbe(one, other), `${one} and ${other}`);
    assert(mayBeOneProbe(other, one), `${other} and ${one}`);
  }
});

Deno.test("mayBeOneProbe tells two probes apart", () => {
  for (
    const [one, other] of [
      ["0483:374b", "0483:3748"],
      ["0483:374b", "0484:374b"],
      [`0483:374b:${SERIAL}`, `0483:374b:${SERIAL}0`],
      // A serial number that is empty is that of a probe without one.
      [`0483:374b:${SERIAL}`, "0483:374b:"],
      ["0403:6010-0", "0403:6010-1"],
      ["303a:1001:DC:DA:0C:D3:FE:D8", "303a:1001:DC:DA:0C:D3:FE:D9"],
    ] as const
  ) {
    assert(!mayBeOneProbe(one, other), `${one} and ${other}`);
    assert(!mayBeOneProbe(other, one), `${other} and ${one}`);
  }
});
