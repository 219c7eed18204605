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
  /** The error of the failure. @default {that, or what was said} */
  readonly told?: string;
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
    name: "the probe is listed and cannot be opened, 0.28 to 0.29.1",
    error: "Error: Probe not found",
    kind: "probe busy",
    pace: "fast",
  },
  {
    name: "the probe is listed and cannot be opened, 0.30 and later",
    error:
      "Error: Failed to open probe: Failed to open the debug probe. (caused by: The debug probe could not be created.; The selected debug probe was not found. This can be due to permissions.)",
    kind: "probe busy",
    pace: "fast",
  },
  {
    name: "the probe cannot be found, up to 0.27",
    error:
      "Error: Failed to open the debug probe. (caused by: The debug probe could not be created.; The selected debug probe was not found. This can be due to permissions.)",
    kind: "probe missing",
    pace: "fast",
  },
  {
    name: "several probes match, up to 0.27",
    error:
      "Error: 2 probes were found: 1. STLink V2-1 -- 0483:374b:0671 (ST-LINK); 2. STLink V2-1 -- 0483:374b:0672 (ST-LINK)",
    kind: "ambiguous probe",
    pace: "slow",
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
    name: "the probe is busy, 0.31 and later",
    error:
      "Error: Failed to open probe: Failed to open the debug probe. (caused by: The debug probe could not be created.; A USB error occurred.; interface is busy (errno 16))",
    kind: "probe busy",
    pace: "fast",
  },
  {
    name: "the probe is busy, Windows",
    error:
      "Error: Failed to open the debug probe. (caused by: The debug probe could not be created.; A USB error occurred.; Access is denied. (os error 5))",
    kind: "probe busy",
    pace: "fast",
  },
  {
    name: "the probe's own firmware is outdated, which names no version",
    error:
      "Error: Failed to open the debug probe. (caused by: The firmware on the probe is outdated, and not supported by probe-rs.)",
    kind: "version too old",
    pace: "slow",
  },
  {
    name: "the probe's own firmware is outdated",
    error:
      "Error: Failed to open probe: Failed to open the debug probe. (caused by: The debug probe could not be created.; An error specific with the selected probe occurred.; The firmware on the probe is outdated, and not supported by probe-rs. The minimum supported firmware version is 2.2.0.)",
    kind: "version too old",
    pace: "slow",
  },
  {
    name: "the probe may not be opened, 0.31 and later",
    error:
      "Error: Failed to open probe: Failed to open the debug probe. (caused by: The debug probe could not be created.; A USB error occurred.; permission denied (errno 13))",
    kind: "no permission",
    pace: "slow",
  },
  {
    name: "the probe may not be opened, HID",
    error:
      "Error: Failed to open the debug probe. (caused by: The debug probe could not be created.; An HID API occurred.; hidapi error: Failed to open a device with path '/dev/hidraw3': Permission denied)",
    kind: "no permission",
    pace: "slow",
  },
  {
    name: "the chip is locked",
    error:
      "Error: Connecting to the chip was unsuccessful. (caused by: An ARM specific error occurred.; An operation could not be performed because it lacked the permission to do so: erase_all)",
    kind: "no permission",
    pace: "slow",
  },
  {
    name: "the chip is locked, as the core says it",
    error:
      "Error: An operation was not performed because the required permissions were not given: erase_all.",
    kind: "no permission",
    pace: "slow",
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
    name: "several chips match",
    error:
      "Error: The chip 'STM32F4' was not found in the database. (caused by: Found multiple chips matching 'STM32F4', unable to select a single chip. (STM32F401CBUx, STM32F401CBYx))",
    kind: "chip unknown",
    pace: "slow",
  },
  {
    name: "the ELF file names another chip, 0.32",
    error: "Error: elf_chip does not match probe_chip",
    kind: "chip unknown",
    pace: "slow",
  },
  {
    name: "the ELF file is for another core",
    error:
      "Error: The image (Thumb2) is not compatible with the target (RV32).",
    kind: "flashing failed",
    pace: "slow",
  },
  {
    name: "the ELF file is a folder, run",
    error: "Error: Is a directory (os error 21)",
    kind: "firmware missing",
    pace: "slow",
  },
  {
    name: "the ELF file is none",
    error: "Error: Failed to read or decode the ELF file.",
    kind: "firmware missing",
    pace: "slow",
  },
  {
    name: "the ELF file is broken",
    error: "Error: Error while reading the object file: No segments.",
    kind: "firmware missing",
    pace: "slow",
  },
  {
    name: "the ELF file is missing, 0.24",
    error:
      "Error: Failed to open binary file. (caused by: An IO error has occurred while reading the firmware file.; No such file or directory (os error 2))",
    kind: "firmware missing",
    pace: "slow",
  },
  {
    name: "flashing fails, up to 0.27",
    error:
      "Error: The flashing procedure failed for '/srv/fw.elf'. (caused by: The page write of the page at address 0x08000000 failed.)",
    kind: "flashing failed",
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
    name: "the probe is unplugged while it is read",
    error:
      "Error: An ARM specific error occurred. (caused by: The debug probe encountered an error.; USB Communication Error; Input/output error (os error 5))",
    kind: "target lost",
    pace: "fast",
  },
  {
    name: "the probe is unplugged while RTT is read, 0.31 and later",
    error:
      "Error: Error communicating with the probe. (caused by: An ARM specific error occurred.; The debug probe encountered an error.; USB Communication Error; device disconnected)",
    kind: "target lost",
    pace: "fast",
  },
  {
    name: "the probe is unplugged while RTT is attached to, 0.24",
    error:
      "Error: Failed to attach to RTT (caused by: Error attempting to attach to RTT: Error communicating with probe: An ARM specific error occurred.)",
    kind: "target lost",
    pace: "fast",
  },
  {
    name: "nothing answers on the wires, 0.32",
    error:
      "Error: Connecting to the chip was unsuccessful. (caused by: An ARM specific error occurred.; No target responded to the debug port. Check that the target is connected and powered, and that the SWD/JTAG wiring is correct.)",
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
    said: "Firmware exited unexpectedly: Exception at src/main.rs:7:5",
    told:
      "Error: Exception (Firmware exited unexpectedly: Exception at src/main.rs:7:5)",
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
    name: "the core halts, up to 0.27",
    error: "Error: CPU halted unexpectedly.",
    kind: "firmware crashed",
    pace: "usual",
  },
  {
    name: "the core locks up, up to 0.27",
    error: "Error: The core is locked up.",
    kind: "firmware crashed",
    pace: "usual",
  },
  {
    name: "the core locks up, 0.28 and later",
    error: "Error: Run loop exited due to a locked up core",
    kind: "firmware crashed",
    pace: "usual",
  },
  {
    name: "the firmware ends itself, up to 0.27",
    error: "Error: Semihosting indicated exit with Unknown runtime error",
    kind: "firmware crashed",
    pace: "usual",
  },
  {
    name: "the firmware ends itself, 0.30 and later",
    error: "Error: Stack overflow",
    said: "Firmware exited with: Stack overflow",
    told: "Error: Stack overflow (Firmware exited with: Stack overflow)",
    kind: "firmware crashed",
    pace: "usual",
  },
  {
    name: "the firmware ends itself as if all were well, 0.28 and later",
    code: 0,
    said: "Firmware exited successfully",
    kind: "firmware ended",
    pace: "usual",
  },
  {
    name: "there is no RTT block, 0.24",
    error:
      "Error: Failed to attach to RTT (caused by: Error attempting to attach to RTT: RTT control block not found in target memory.)",
    kind: "no RTT",
    pace: "slow",
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

for (const { name, code = 1, error, said, told, kind, pace } of CASES) {
  Deno.test(`recognizeFailure knows that ${name}`, () => {
    const failure = recognizeFailure({ code, error, said });
    assert.equal(failure.kind, kind);
    assert.equal(failure.pace, pace);
    assert.equal(failure.error, told ?? error ?? said);
    assert.ok(failure.todo.length > 10);
    assert.doesNotMatch(
      failure.todo,
      /gateway\./,
      "a [[board]] has the key too",
    );
  });
}

Deno.test("tellsOfTheEnd takes a line that says so at its beginning", () => {
  assert.ok(tellsOfTheEnd("Firmware exited unexpectedly: Exception"));
  assert.ok(tellsOfTheEnd("Firmware exited with: Stack overflow"));
  assert.ok(tellsOfTheEnd("Firmware exited successfully"));
  assert.ok(!tellsOfTheEnd("Firmware exited the loop"));
  assert.ok(!tellsOfTheEnd("The Firmware exited unexpectedly: x"));
  assert.ok(!tellsOfTheEnd(""));
});
