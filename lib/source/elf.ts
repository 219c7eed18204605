/**
 * What an ELF file says of itself: for which processor it is, its sections, some of its symbols.
 *
 * Read by a few lines of our own, after the System V ABI (chapter 4, "Object Files") and elf(5): the
 * packages that npm has for it are no longer kept, or read whole programs into memory.
 *
 * @module
 */

/** An ELF file, as far as it matters here. */
export interface Elf {
  readonly bits: 32 | 64;
  /** `e_machine`: 40 is Arm. */
  readonly machine: number;
  /** `e_type`: 1 is an object file that was not linked, 2 an executable. */
  readonly type: number;
  /** The names of its sections, `.defmt` among them. */
  readonly sections: readonly string[];
  /** Whether it has a table of symbols: one that was stripped has none. */
  readonly hasSymbols: boolean;
  /** Those of the symbols that were asked for that it defines. */
  readonly symbols: ReadonlySet<string>;
}

const MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const HEADER_BYTES = 64;
/** `SHT_SYMTAB` */
const SYMBOL_TABLE = 2;
/** A table that is said to be larger is none that a linker made. */
const MAX_TABLE_BYTES = 256 * 1024 * 1024;

/** Whether the file begins as ELF files do. */
export function isElf(head: Uint8Array): boolean {
  return MAGIC.every((byte, i) => head[i] === byte);
}

/**
 * Reads the headers of an open file, and looks for `symbols`.
 *
 * @throws {RangeError} if it is cut off, damaged, or no ELF file
 */
export async function readElf(
  file: Deno.FsFile,
  symbols: readonly string[],
): Promise<Elf> {
  const head = await readAt(file, 0, HEADER_BYTES, "header", 52);
  if (!isElf(head)) throw new RangeError("It is no ELF file");
  const bits = head[4] === 2 ? 64 : 32;
  const littleEndian = head[5] !== 2;
  const layout = bits === 64
    ? { table: 0x28, each: 0x3a, count: 0x3c, names: 0x3e, least: 64 }
    : { table: 0x20, each: 0x2e, count: 0x30, names: 0x32, least: 40 };
  const reader = new Reader(head, bits, littleEndian);
  const each = reader.half(layout.each);
  const count = reader.half(layout.count);
  if (count > 0 && each < layout.least) {
    throw new RangeError("Its section headers are too short");
  }
  const table = new Reader(
    await readAt(
      file,
      reader.word(layout.table),
      count * each,
      "section headers",
    ),
    bits,
    littleEndian,
  );
  const headers = Array.from({ length: count }, (_, i) => {
    const at = i * each;
    return {
      name: table.int(at),
      kind: table.int(at + 4),
      offset: table.word(at + (bits === 64 ? 0x18 : 0x10)),
      size: table.word(at + (bits === 64 ? 0x20 : 0x14)),
      link: table.int(at + (bits === 64 ? 0x28 : 0x18)),
    };
  });
  const contents = async (index: number, what: string) => {
    const { offset, size } = headers[index] ?? { offset: 0, size: 0 };
    return await readAt(file, offset, size, what);
  };
  const names = count === 0
    ? new Uint8Array()
    : await contents(reader.half(layout.names), "names of its sections");
  const symbolTable = headers.find(({ kind }) => kind === SYMBOL_TABLE);
  const found = new Set<string>();
  if (symbolTable !== undefined) {
    const { offset, size, link } = symbolTable;
    const all = new Reader(
      await readAt(file, offset, size, "symbols"),
      bits,
      littleEndian,
    );
    const strings = await contents(link, "names of its symbols");
    const [step, section] = bits === 64 ? [24, 6] : [16, 14];
    for (let at = 0; at + step <= size; at += step) {
      // One without a section is used here, and defined elsewhere.
      if (all.half(at + section) === 0) continue;
      const name = all.int(at);
      const wanted = symbols.find((one) => startsWith(strings, name, one));
      if (wanted !== undefined) found.add(wanted);
    }
  }
  return {
    bits,
    machine: reader.half(0x12),
    type: reader.half(0x10),
    sections: headers.map(({ name }) => textAt(names, name))
      .filter((name) => name !== ""),
    hasSymbols: symbolTable !== undefined,
    symbols: found,
  };
}

/** Numbers of a file's own size and order of bytes; what is not there is 0. */
class Reader {
  readonly #view: DataView;
  readonly #bits: 32 | 64;
  readonly #littleEndian: boolean;

  constructor(bytes: Uint8Array, bits: 32 | 64, littleEndian: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#bits = bits;
    this.#littleEndian = littleEndian;
  }

  half(at: number): number {
    return this.#view.getUint16(at, this.#littleEndian);
  }

  int(at: number): number {
    return this.#view.getUint32(at, this.#littleEndian);
  }

  /** An address, an offset or a size. */
  word(at: number): number {
    return this.#bits === 64
      ? Number(this.#view.getBigUint64(at, this.#littleEndian))
      : this.int(at);
  }
}

/** `size` bytes, or at least `least` of them. @throws {RangeError} if the file has fewer */
async function readAt(
  file: Deno.FsFile,
  offset: number,
  size: number,
  what: string,
  least = size,
): Promise<Uint8Array> {
  if (size > MAX_TABLE_BYTES) {
    throw new RangeError(`Its ${what} cannot be as long as it says`);
  }
  const bytes = new Uint8Array(size);
  let length = 0;
  if (size > 0) await file.seek(offset, Deno.SeekMode.Start);
  while (length < size) {
    const read = await file.read(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  if (length < least) throw new RangeError(`It ends within its ${what}`);
  return bytes;
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  return new TextDecoder().decode(
    bytes.subarray(at, end < 0 ? undefined : end),
  );
}

/** Whether `name` stands at `at`, with its end. */
function startsWith(bytes: Uint8Array, at: number, name: string): boolean {
  if (bytes[at + name.length] !== 0) return false;
  for (let i = 0; i < name.length; i++) {
    if (bytes[at + i] !== name.charCodeAt(i)) return false;
  }
  return true;
}
