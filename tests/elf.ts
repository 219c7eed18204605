/**
 * ELF files for tests: as small as they can be, and right: `defmt-print` and `readelf` read them.
 *
 * @module
 */

/** A section with what is in it. */
export interface ElfSection {
  readonly name: string;
  readonly data?: Uint8Array;
}

/** A symbol; its name is what counts. */
export interface ElfSymbol {
  readonly name: string;
  readonly value?: number;
  /** The name of its section. @default {it belongs to none} */
  readonly section?: string;
  /** False: it is used here, and defined elsewhere. @default {true} */
  readonly defined?: boolean;
}

/** What the file says of itself. */
export interface ElfOptions {
  /** `e_machine`: 40 is Arm, 62 x86-64, 94 Xtensa, 183 AArch64, 243 RISC-V. @default {40} */
  readonly machine?: number;
  /** `e_type`: 1 is an object file, 2 an executable. @default {2} */
  readonly type?: number;
  /** @default {32} */
  readonly bits?: 32 | 64;
  readonly sections?: readonly ElfSection[];
  /** Without any the file has been stripped. */
  readonly symbols?: readonly ElfSymbol[];
}

const ALIGN = 8;

/** Makes an ELF file, little endian. */
export function makeElf(options: ElfOptions = {}): Uint8Array<ArrayBuffer> {
  const { machine = 40, type = 2, bits = 32, sections = [], symbols = [] } =
    options;
  const wide = bits === 64;
  const strings = new StringTable();
  const names = new StringTable();
  const symbolTable = concat([
    new Uint8Array(wide ? 24 : 16),
    ...symbols.map(({ name, value = 0, section, defined = true }) => {
      const index = sections.findIndex((one) => one.name === section);
      const place = !defined ? 0 : section === undefined ? 0xfff1 : index + 1;
      const at = strings.add(name);
      return wide
        ? pack([4, at], [1, 0x11], [1, 0], [2, place], [8, value], [8, 0])
        : pack([4, at], [4, value], [4, 0], [1, 0x11], [1, 0], [2, place]);
    }),
  ]);
  const isStripped = symbols.length === 0;
  const all: (ElfSection & { kind: number; link?: number; each?: number })[] = [
    ...sections.map((one) => ({ ...one, kind: 1 })),
    ...(isStripped ? [] : [
      {
        name: ".symtab",
        data: symbolTable,
        kind: 2,
        link: sections.length + 2,
        each: wide ? 24 : 16,
      },
      { name: ".strtab", data: strings.bytes(), kind: 3 },
    ]),
    { name: ".shstrtab", kind: 3 },
  ];
  const nameAt = all.map(({ name }) => names.add(name));
  all[all.length - 1] = { ...all.at(-1)!, data: names.bytes() };

  const headerSize = wide ? 64 : 52;
  const parts: Uint8Array[] = [];
  let offset = headerSize;
  const offsets = all.map(({ data = new Uint8Array() }) => {
    const padded = new Uint8Array(Math.ceil(data.length / ALIGN) * ALIGN);
    padded.set(data);
    parts.push(padded);
    offset += padded.length;
    return offset - padded.length;
  });
  const word = wide ? 8 : 4;
  const table = all.map(({ data, kind, link = 0, each = 0 }, index) =>
    pack(
      ...[[4, nameAt[index]!], [4, kind], [word, 0], [word, 0]] as const,
      ...[[word, offsets[index]!], [word, data?.length ?? 0]] as const,
      // All symbols behind the first, empty one are global.
      ...[[4, link], [4, kind === 2 ? 1 : 0], [word, 1], [word, each]] as const,
    )
  );
  const header = concat([
    Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1),
    new Uint8Array(9),
    pack(
      ...[[2, type], [2, machine], [4, 1], [word, 0], [word, 0]] as const,
      ...[[word, offset], [4, 0], [2, headerSize], [2, 0], [2, 0]] as const,
      ...[[2, wide ? 64 : 40], [2, all.length + 1], [2, all.length]] as const,
    ),
  ]);
  const none = new Uint8Array(wide ? 64 : 40);
  return concat([header, ...parts, none, ...table]);
}

/** A firmware as a build makes it: it logs by defmt over RTT, or as is said. */
export function makeFirmware(
  { rtt = true, defmt = true, ...options }:
    & { rtt?: boolean; defmt?: boolean }
    & Omit<ElfOptions, "sections" | "symbols"> = {},
): Uint8Array<ArrayBuffer> {
  const data = Uint8Array.of(0, 0, 0, 0);
  return makeElf({
    ...options,
    sections: [
      { name: ".text", data },
      ...(defmt ? [{ name: ".defmt", data }] : []),
    ],
    symbols: [
      { name: "main", section: ".text" },
      ...(rtt ? [{ name: "_SEGGER_RTT", value: 0x2000_0000 }] : []),
      ...(defmt
        ? [
          { name: "_defmt_version_ = 4" },
          { name: "_defmt_encoding_ = rzcobs" },
        ]
        : []),
    ],
  });
}

/** A firmware with one message, `defmt::info!("{=str}", …)`, as its number stands in the stream. */
export function makeDefmtFirmware(): Uint8Array<ArrayBuffer> {
  const message = {
    package: "app",
    tag: "defmt_info",
    data: "{=str}",
    disambiguator: "1",
    crate_name: "app",
  };
  return makeElf({
    sections: [
      { name: ".text", data: new Uint8Array(4) },
      { name: ".defmt", data: new Uint8Array(16) },
    ],
    symbols: [
      { name: "_SEGGER_RTT", value: 0x2000_0000 },
      { name: "_defmt_version_ = 4" },
      { name: "_defmt_encoding_ = raw" },
      { name: JSON.stringify(message), value: 1, section: ".defmt" },
    ],
  });
}

/** What the firmware of {@linkcode makeDefmtFirmware} sends for a text. */
export function defmtFrame(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return concat([pack([2, 1], [4, bytes.length]), bytes]);
}

class StringTable {
  #text = "\0";

  add(text: string): number {
    const at = this.#text.length;
    this.#text += `${text}\0`;
    return at;
  }

  bytes(): Uint8Array {
    return new TextEncoder().encode(this.#text);
  }
}

/** Numbers of so many bytes each. */
function pack(...numbers: readonly (readonly [number, number])[]): Uint8Array {
  return Uint8Array.from(
    numbers.flatMap(([size, value]) =>
      Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) & 255)
    ),
  );
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
