import { DataError } from './dataError.ts';

/** Python itself refuses to read longer decimal numbers; converting them takes quadratic time. */
const maxDigits = 4300;

/** Integers beyond this many bytes are not read: what they are printed or computed with takes more than linear time. */
const maxIntegerBytes = 2 ** 20;

/** Texts beyond this many bytes are not read: strings have a limit, which is not much higher. */
const maxTextBytes = 2 ** 28;

/** Longest module or name of a global. */
const maxNameLength = 1000;

/** The arguments of a pickle's opcodes, read one after the other. Sizes are checked against what is left before anything is made. */
export class PickleReader {
  readonly bytes: Uint8Array;
  readonly where: string;
  /** The next byte. */
  at: number;
  /** Where the opcode began that is being carried out, for messages. */
  opcodeAt: number;
  readonly #view: DataView;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(bytes: Uint8Array, where: string, start: number) {
    this.bytes = bytes;
    this.where = where;
    this.at = start;
    this.opcodeAt = start;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** An error at the present opcode. */
  error(problem: string, options?: ErrorOptions): DataError {
    return new DataError(this.where, `damaged pickle at byte ${this.opcodeAt}: ${problem}`, options);
  }

  /** Steps over `count` bytes and returns where they start. */
  #take(count: number): number {
    const start = this.at;
    if (count > this.bytes.length - start) {
      throw this.error(`needs ${count} bytes at ${start}, found ${this.bytes.length - start} (truncated file?)`);
    }
    this.at = start + count;
    return start;
  }

  opcode(): number {
    this.opcodeAt = this.at;
    return this.bytes[this.#take(1)];
  }

  uint8(): number {
    return this.bytes[this.#take(1)];
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A 64-bit size; one beyond 2^53 cannot be true, and fails the check against what is left. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** `length` bytes, sharing memory. */
  raw(length: number): Uint8Array {
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  #text(length: number): Uint8Array {
    const raw = this.raw(length);
    if (length > maxTextBytes) throw this.error(`expected a text of at most ${maxTextBytes} bytes, found one of ${length}`);
    return raw;
  }

  utf8(length: number): string {
    const raw = this.#text(length);
    try {
      return this.#utf8.decode(raw);
    } catch (thrown) {
      throw this.error('expected UTF-8 text', { cause: thrown });
    }
  }

  /** Bytes as characters 0 to 255: what Python 2 called a string, and all that is lossless whether it meant text or data. */
  latin1(length: number): string {
    return latin1(this.#text(length));
  }

  /** The bytes up to the next line break, which is stepped over. */
  line(maxLength = maxTextBytes): Uint8Array {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw this.error('a line without an end (truncated file?)');
    if (end - this.at > maxLength) throw this.error(`expected a line of at most ${maxLength} bytes, found ${end - this.at}`);
    const line = this.raw(end - this.at);
    this.at++;
    return line;
  }

  /** A module or a name. */
  nameLine(): string {
    const line = this.line(maxNameLength);
    try {
      return this.#utf8.decode(line);
    } catch (thrown) {
      throw this.error('expected UTF-8 text', { cause: thrown });
    }
  }

  /** A decimal integer of a line, with or without Python 2's `L`. */
  integerLine(): number | bigint {
    const text = latin1(this.line(maxDigits + 2));
    if (!/^[+-]?\d+L?$/.test(text)) throw this.error(`expected an integer, found ${JSON.stringify(text.slice(0, 40))}`);
    return plainInteger(BigInt(text.replace(/^\+|L$/g, '')));
  }

  /** The line of an INT opcode: an integer, or `00` and `01` for False and True. */
  intOrBoolLine(): number | bigint | boolean {
    const [a, b, c] = this.bytes.subarray(this.at, this.at + 3);
    if (a === 0x30 && (b === 0x30 || b === 0x31) && c === 0x0a) {
      this.line();
      return b === 0x31;
    }
    return this.integerLine();
  }

  /** A float as Python prints it. */
  floatLine(): number {
    const text = latin1(this.line(400)).trim();
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
    const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
    if (!special) throw this.error(`expected a number, found ${JSON.stringify(text.slice(0, 40))}`);
    if (/^nan$/i.test(special[2])) return Number.NaN;
    return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  /** `length` bytes as a little-endian integer in two's complement. */
  long(length: number): number | bigint {
    if (length > maxIntegerBytes)
      throw this.error(`expected an integer of at most ${maxIntegerBytes} bytes, found one of ${length}`);
    const raw = this.raw(length);
    if (length === 0) return 0;
    const digits: string[] = [];
    for (let i = length - 1; i >= 0; i--) digits.push(raw[i].toString(16).padStart(2, '0'));
    const value = BigInt(`0x${digits.join('')}`);
    return plainInteger(raw[length - 1] & 0x80 ? value - (1n << BigInt(8 * length)) : value);
  }

  /** A quoted Python 2 string on a line, its escapes resolved; characters are bytes. */
  quotedLine(): string {
    const text = latin1(this.line()).trim();
    const quote = text[0];
    if (text.length < 2 || (quote !== '"' && quote !== "'") || text[text.length - 1] !== quote) {
      throw this.error(`expected a quoted string, found ${JSON.stringify(text.slice(0, 40))}`);
    }
    return text
      .slice(1, -1)
      .replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([\s\S]))/g, (whole, hex?: string, octal?: string, plain?: string) => {
        if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
        if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
        return simpleEscapes[plain!] ?? whole;
      });
  }

  /** A line of text in which characters beyond Latin-1 are written as `\uXXXX` or `\UXXXXXXXX`. */
  unicodeLine(): string {
    return latin1(this.line()).replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g, (_, short?: string, long?: string) => {
      const code = Number.parseInt(short ?? long!, 16);
      if (code > 0x10ffff) throw this.error(`no character has the code ${code.toString(16)}`);
      return String.fromCodePoint(code);
    });
  }
}

const simpleEscapes: { readonly [letter: string]: string | undefined } = Object.assign(Object.create(null), {
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
});

/** A number where it is exact, a bigint beyond. */
export function plainInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Bytes as characters of the same codes. */
function latin1(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let start = 0; start < bytes.length; start += 0x2000) {
    pieces.push(String.fromCharCode(...bytes.subarray(start, start + 0x2000)));
  }
  return pieces.join('');
}
