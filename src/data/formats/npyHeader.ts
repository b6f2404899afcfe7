import type { Shape } from '../../engine/ndarray.ts';
import { DataError } from './dataError.ts';

/** What the header of a `.npy` file says. */
export interface NpyHeader {
  /** NumPy's type string, e.g. `<f4`. */
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: Shape;
}

/** The bytes every `.npy` file starts with. */
export const npyMagic: readonly number[] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** NumPy, too, reads no longer headers: those of plain arrays take a few hundred bytes, padding included. */
const maxHeaderBytes = 10_000;

/** NumPy allows 32 dimensions (64 since version 2); more is a damaged file. */
const maxDimensions = 64;

/**
 * Reads the header (format versions 1 to 3).
 * @returns the header and the offset in bytes at which the data starts
 * @throws DataError if this is not a `.npy` file, or its header is damaged or describes something other than one plain array
 */
export function parseNpyHeader(bytes: Uint8Array, where: string): { header: NpyHeader; dataOffset: number } {
  if (bytes.length < 10 || npyMagic.some((byte, i) => bytes[i] !== byte)) {
    throw new DataError(where, `expected a .npy file (starting with \\x93NUMPY), found ${describeStart(bytes)}`);
  }
  const major = bytes[6];
  if (major < 1 || major > 3) throw new DataError(where, `expected .npy format version 1, 2 or 3, found ${major}.${bytes[7]}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const textOffset = major === 1 ? 10 : 12;
  if (bytes.length < textOffset) throw new DataError(where, `the .npy header is truncated after ${bytes.length} bytes`);
  const textLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (textLength > maxHeaderBytes)
    throw new DataError(where, `expected a .npy header of at most ${maxHeaderBytes} bytes, found one of ${textLength}`);
  const dataOffset = textOffset + textLength;
  if (dataOffset > bytes.length) {
    throw new DataError(where, `the .npy header needs ${dataOffset} bytes, found ${bytes.length} (truncated file?)`);
  }
  // Versions 1 and 2 are Latin-1, 3 is UTF-8; every header of a plain array is ASCII, where they agree.
  const text = new TextDecoder('utf-8').decode(bytes.subarray(textOffset, dataOffset));
  return { header: headerFromText(text, where), dataOffset };
}

function describeStart(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  if (bytes.length < 10) return `only ${bytes.length} bytes`;
  return `bytes ${Array.from(bytes.subarray(0, 6), byte => byte.toString(16).padStart(2, '0')).join(' ')}`;
}

/** The dictionary `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`: exactly these keys, in any order. */
function headerFromText(text: string, where: string): NpyHeader {
  const bad = (expected: string): DataError =>
    new DataError(where, `expected ${expected} in the .npy header, found ${JSON.stringify(text.trim().slice(0, 120))}`);
  // What white space there is, is Python's.
  if (/[^\x20-\x7e\t\n\f\r]/.test(text)) throw bad('plain ASCII text');
  let rest = text.trim();
  const take = (pattern: RegExp, expected: string): string => {
    const match = pattern.exec(rest);
    if (!match) throw bad(expected);
    rest = rest.slice(match[0].length);
    return match[1] ?? '';
  };

  let descr: string | undefined;
  let fortranOrder: boolean | undefined;
  let shape: number[] | undefined;
  take(/^\{\s*/, 'a dictionary');
  while (!rest.startsWith('}')) {
    const key = take(/^['"](\w+)['"]\s*:\s*/, 'a quoted key');
    if (key === 'descr' && descr === undefined) {
      if (rest.startsWith('[')) throw new DataError(where, 'expected an array of plain numbers, found a structured array');
      descr = take(/^['"]([^'"]*)['"]\s*/, 'a type string');
    } else if (key === 'fortran_order' && fortranOrder === undefined) {
      fortranOrder = take(/^(True|False)\s*/, 'True or False') === 'True';
    } else if (key === 'shape' && shape === undefined) {
      // Python 2 wrote long integers as `3L`.
      const inner = take(/^\(\s*((?:\d+L?\s*,\s*)*(?:\d+L?)?)\s*\)\s*/, 'a tuple of sizes');
      shape =
        inner === ''
          ? []
          : inner
              .replace(/,\s*$/, '')
              .split(',')
              .map(size => Number.parseInt(size, 10));
    } else {
      throw bad(`the keys descr, fortran_order and shape once each (not ${JSON.stringify(key)})`);
    }
    if (!rest.startsWith('}')) take(/^,\s*/, 'a comma');
  }
  if (rest !== '}') throw bad('nothing after the dictionary');
  if (descr === undefined || fortranOrder === undefined || shape === undefined)
    throw bad('the keys descr, fortran_order and shape');
  if (shape.length > maxDimensions) throw bad(`at most ${maxDimensions} dimensions`);
  return { descr, fortranOrder, shape };
}
