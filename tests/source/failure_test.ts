import assert from "node:assert/strict";
import {
  type FailureKind,
  type Pace,
  recognizeFailure,
  tellsOfTheEnd,
} from "../../lib/source/failure.ts";

interface Case {
  readonly name: string;
  readonly code?: number;
  readonly error?: string;
  readonly said?: string;
  readonly kind: FailureKind;
  readonly pace: Pace;
}

const CASES: readonly Case[] = [
  {
    name: "the ELF file is missing, run",
    error:
      "Error: An IO error has occurred while reading the firmware file. (caused by: No such file or directory (os error 2))",
    kind: "firmware missing",
    pace: "slow",
  },
  {
    name: "the ELF file is missing, attach",
    error:
      "Error: Failed to read firmware from /srv/fw.elf (caused by: No such file or directory (os error 2))",
    kind: "firmware missing",
    pace: "slow",
  },
  {
    name: "the ELF file may not be read",
    error:
      "Error: Failed to read firmware from /srv/fw.elf (caused by: Permission denied (os error 13))",
    kind: "firmware missing",
    pace: "slow",
  },
  {
    name: "no probe, or none matches",
    error: "Error: No connected probes were found.",
    kind: "probe missing",
    pace: "fast",
  },
  {
    name: "the probe is known and cannot be found",
    error:
      "Error: Failed to open the debug probe. (caused by: Probe could not be created; Probe was not found.)",
    kind: "probe missing",
    pace: "fast",
  },
  {
    name: "several probes match",
    error:
      "Error: The following devices were found: [0]: STLink V2-1 -- 0483:374b:0671; [1]: STLink V2-1 -- 0483:374b:0672",
    kind: "ambiguous probe",
    pace: "slow",
  },
  {
    name: "several probes match, 0.28 to 0.32.0",
    error: "Error: Failed to parse probe index",
    kind: "ambiguous probe",
    pace: "slow",
  },
  {
    name: "the probe is busy, 0.30 and later",
    error: "Error: Failed to open probe: Failed to open the debug probe.",
    kind: "probe busy",
    pace: "fast",
  },
  {
    name: "the probe is busy, what caused it",
    error:
      "Error: Failed to open the debug probe. (caused by: The debug probe could not be created.; A USB error occurred.; Device or resource busy (os error 16))",
    kind: "probe busy",
    pace: "fast",
  },
  {
    name: "the probe may not be opened",
    error:
      "Error: Failed to open the debug probe. (caused by: USB Communication Error; error while opening the USB device: Permission denied (os error 13))",
    kind: "no permission",
    pace: "slow",
  },
  {
    name: "the chip is unknown",
    error: "Error: The chip 'x' was not found in the database.",
    kind: "chip unknown",
    pace: "slow",
  },
  {
    name: "the chip is unknown, as chip info says it",
    error:
      "Error: The requested chip 'NOPE' was not found in the list of known targets.",
    kind: "chip unknown",
    pace: "slow",
  },
  {
    name: "flashing fails",
    error:
      "Error: An error with the flashing procedure has occurred. (caused by: Failed to erase flash sector at address 0x08000000.; A USB error occurred.)",
    kind: "flashing failed",
    pace: "slow",
  },
  {
    name: "the probe is unplugged",
    error:
      "Error: An ARM specific error occurred. (caused by: An error which is specific to the debug probe in use occurred.; USB Communication Error; No such device (os error 19))",
    kind: "target lost",
    pace: "fast",
  },
  {
    name: "the target has no power",
    error:
      "Error: Connecting to the chip was unsuccessful. (caused by: Failed to find or attach to the target. Please check the wiring before you retry.)",
    kind: "target lost",
    pace: "fast",
  },
  {
    name: "the target is reset, 0.30 and later",
    error: "Error: Exception",
    said: "Firmware exited unexpectedly: Exception",
    kind: "firmware crashed",
    pace: "usual",
  },
  {
    name: "the target is reset, 0.28.0 to 0.29.1",
    code: 0,
    said: "Firmware exited unexpectedly: Exception",
    kind: "firmware crashed",
    pace: "usual",
  },
  {
    name: "there is no RTT block",
    error: "Error: RTT control block not found in target memory.",
    kind: "no RTT",
    pace: "slow",
  },
  {
    name: "somebody else sent SIGTERM",
    code: 0,
    kind: "unknown",
    pace: "usual",
  },
  {
    name: "stdout was closed",
    code: 101,
    error:
      "thread 'main' panicked at library/std/src/io/stdio.rs:1165:9: failed printing to stdout: Broken pipe (os error 32)",
    kind: "unknown",
    pace: "usual",
  },
  {
    name: "a flag is unknown",
    code: 2,
    error: "error: unexpected argument '--bogus' found",
    kind: "wrong usage",
    pace: "usual",
  },
  {
    name: "the selector is malformed",
    code: 2,
    error:
      "error: invalid value 'zzz' for '--probe <PROBE>': The format of the selector is invalid.",
    kind: "wrong usage",
    pace: "slow",
  },
  {
    name: "a configuration file of probe-rs is broken",
    error:
      "Error: Failed to load configuration. (caused by: TOML parse error at line 1, column 13)",
    kind: "wrong usage",
    pace: "slow",
  },
  {
    name: "another program ends with 2",
    code: 2,
    error: "Error: no such port",
    kind: "unknown",
    pace: "usual",
  },
];

for (const { name, code = 1, error, said, kind, pace } of CASES) {
  Deno.test(`recognizeFailure knows that ${name}`, () => {
    const failure = recognizeFailure({ code, error, said });
    assert.equal(failure.kind, kind);
    assert.equal(failure.pace, pace);
    assert.equal(failure.error, error ?? said);
    assert.ok(failure.todo.length > 10);
  });
}

Deno.test("tellsOfTheEnd takes a line that says so at its beginning", () => {
  assert.ok(tellsOfTheEnd("Firmware exited unexpectedly: Exception"));
  assert.ok(!tellsOfTheEnd("The Firmware exited the loop"));
  assert.ok(!tellsOfTheEnd(""));
});
