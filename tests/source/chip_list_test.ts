import assert from "node:assert/strict";
import {
  findChip,
  mayMean,
  nearestChips,
  parseChipList,
} from "../../lib/source/chip_list.ts";

const PRINTED = `Available chips:
ESP32-C3 Series
    Variants:
        esp32c3
nRF52 Series
    Variants:
        nRF52832_xxAA
        nRF52833_xxAA
        nRF52840_xxAA
RP2040
    Variants:
        RP2040
STM32F4 Series
    Variants:
        STM32F401RETx
        STM32F446RCTx
        STM32F446RETx
        STM32F446ZETx`;
const CHIPS = parseChipList(PRINTED.split("\n"));

Deno.test("parseChipList takes the chips and no families", () => {
  assert.deepEqual(CHIPS, [
    "esp32c3",
    "nRF52832_xxAA",
    "nRF52833_xxAA",
    "nRF52840_xxAA",
    "RP2040",
    "STM32F401RETx",
    "STM32F446RCTx",
    "STM32F446RETx",
    "STM32F446ZETx",
  ]);
  assert.deepEqual(parseChipList([]), []);
});

Deno.test("findChip gives a chip's own capitals", () => {
  assert.equal(findChip("stm32f446retX", CHIPS), "STM32F446RETx");
  assert.equal(findChip("STM32F446RE", CHIPS), undefined);
});

Deno.test("nearestChips names the chip that is meant first", () => {
  const cases: [name: string, first: string][] = [
    ["STM32F446RE", "STM32F446RETx"],
    ["STM32F446RET6", "STM32F446RETx"],
    ["stm32f446re", "STM32F446RETx"],
    ["nrf52840", "nRF52840_xxAA"],
    ["ESP32-C3", "esp32c3"],
    ["rp2004", "RP2040"],
  ];
  for (const [name, first] of cases) {
    assert.equal(nearestChips(name, CHIPS)[0], first, name);
  }
  assert.deepEqual(nearestChips("STM32F446RET6", CHIPS), ["STM32F446RETx"]);
  assert.deepEqual(nearestChips("STM32F446", CHIPS), [
    "STM32F446RCTx",
    "STM32F446RETx",
    "STM32F446ZETx",
  ]);
  // The board's name.
  assert.deepEqual(nearestChips("Nucleo-F446RE", CHIPS), ["STM32F446RETx"]);
  assert.deepEqual(nearestChips("toaster", CHIPS), []);
  assert.deepEqual(nearestChips("", CHIPS), []);
});

Deno.test("mayMean takes a part of a chip's name, and a name with the package behind it", () => {
  const meant = (typed: string) => CHIPS.filter((chip) => mayMean(typed, chip));
  assert.deepEqual(meant("446re"), ["STM32F446RETx"]);
  assert.deepEqual(meant("rp2040B2"), ["RP2040"]);
  assert.deepEqual(meant("esp32-C3"), ["esp32c3"]);
  assert.deepEqual(meant("toaster"), []);
  assert.deepEqual(meant(""), CHIPS);
});
