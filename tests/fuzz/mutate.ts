/** Mutations of bytes that know nothing of what the bytes mean. */
import type { Random } from './random.ts';

/** Longer inputs are cut, so that a run stays quick; what takes size to show is among the attacks of each format. */
export const maxLength = 2 ** 16;

const interestingBytes = [0, 1, 2, 0x0a, 0x20, 0x22, 0x2e, 0x30, 0x39, 0x5b, 0x5c, 0x7b, 0x7f, 0x80, 0x95, 0xc3, 0xfe, 0xff];

const hugeNumbers = ['0', '1', '2147483648', '4294967295', '9007199254740993', '18446744073709551616', '1e400', '-1', '1e-320'];

/** What joins the mutations of a format: other inputs to splice with, and the format's own words. */
export interface Material {
  readonly donors: readonly Uint8Array[];
  readonly tokens: readonly Uint8Array[];
}

type Mutation = (bytes: Uint8Array, material: Material, random: Random) => Uint8Array;

/** Pieces one after the other. */
export function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return joinedList(pieces);
}

/** The same of a list, which may be too long for arguments. */
export function joinedList(pieces: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** `bytes` with `count` of them from `at` on replaced. */
export function replaced(bytes: Uint8Array, at: number, count: number, by: Uint8Array): Uint8Array {
  return joined(bytes.subarray(0, at), by, bytes.subarray(Math.min(bytes.length, at + count)));
}

/** A stretch of the bytes, mostly a short one. */
function stretch(length: number, random: Random): [start: number, end: number] {
  const size = 1 + random.int(random.once(4) ? length : Math.min(length, 16));
  const start = random.int(length - size + 1);
  return [start, start + size];
}

const changeByte =
  (change: (byte: number, random: Random) => number): Mutation =>
  (bytes, _, random) => {
    const out = bytes.slice();
    const at = random.int(out.length);
    out[at] = change(out[at], random);
    return out;
  };

/** Sets an integer field: what sizes, offsets and counts are made of. */
const setInteger: Mutation = (bytes, _, random) => {
  const width = random.pick([2, 4, 8].filter(each => each <= bytes.length));
  if (width === undefined) return bytes;
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  const at = random.int(bytes.length - width + 1);
  const little = !random.once(4);
  const all = (1n << BigInt(8 * width)) - 1n;
  const old =
    width === 8 ? view.getBigUint64(at, little) : BigInt(width === 4 ? view.getUint32(at, little) : view.getUint16(at, little));
  const near = BigInt(random.int(9) - 4);
  const value = random.pick([
    0n,
    1n,
    all,
    all >> 1n,
    (all >> 1n) + 1n,
    1n << 31n,
    1n << 53n,
    BigInt(bytes.length) + near,
    BigInt(bytes.length - at) + near,
    old + near,
    old * 2n,
  ]);
  const kept = value & all;
  if (width === 8) view.setBigUint64(at, kept, little);
  else if (width === 4) view.setUint32(at, Number(kept), little);
  else view.setUint16(at, Number(kept), little);
  return out;
};

/** Replaces one of the numbers that stand in a text. */
const setDigits: Mutation = (bytes, _, random) => {
  const from = random.int(bytes.length);
  const isDigit = (at: number): boolean => bytes[at] >= 0x30 && bytes[at] <= 0x39;
  let start = from;
  while (start < bytes.length && !isDigit(start)) start++;
  let end = start;
  while (end < bytes.length && isDigit(end)) end++;
  if (start === end) return bytes;
  const old = Number(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
  const text = random.pick([...hugeNumbers, String(old + 1), String(Math.max(0, old - 1)), '9'.repeat(1 + random.int(400))]);
  return replaced(bytes, start, end - start, Buffer.from(text));
};

const mutations: readonly Mutation[] = [
  changeByte((byte, random) => byte ^ (1 << random.int(8))),
  changeByte((_, random) => random.pick(interestingBytes)),
  changeByte((_, random) => random.int(256)),
  changeByte((byte, random) => (byte + random.pick([1, 255])) & 255),
  (bytes, _, random) => bytes.subarray(0, random.int(bytes.length)),
  (bytes, _, random) =>
    joined(
      bytes,
      Uint8Array.from({ length: 1 + random.int(16) }, () => random.pick([0, 0x20, random.int(256)])),
    ),
  (bytes, _, random) => {
    const [start, end] = stretch(bytes.length, random);
    return replaced(bytes, start, end - start, new Uint8Array(0));
  },
  (bytes, _, random) => {
    const [start, end] = stretch(bytes.length, random);
    const times = random.once(8) ? 2 + random.int(200) : 1;
    return replaced(bytes, end, 0, joined(...Array.from({ length: times }, () => bytes.subarray(start, end))));
  },
  (bytes, _, random) => {
    const [start, end] = stretch(bytes.length, random);
    const out = bytes.slice();
    out.set(bytes.subarray(start, end), random.int(bytes.length - (end - start) + 1));
    return out;
  },
  (bytes, _, random) => {
    const [start, end] = stretch(bytes.length, random);
    return replaced(bytes, random.int(bytes.length), 0, bytes.subarray(start, end));
  },
  (bytes, { donors }, random) => {
    const donor = random.pick(donors);
    return joined(bytes.subarray(0, random.int(bytes.length + 1)), donor.subarray(random.int(donor.length + 1)));
  },
  setInteger,
  setInteger,
  setDigits,
  (bytes, { tokens }, random) => replaced(bytes, random.int(bytes.length + 1), 0, random.pick(tokens)),
  (bytes, { tokens }, random) => {
    const token = random.pick(tokens);
    return replaced(bytes, random.int(bytes.length + 1), token.length, token);
  },
  (bytes, { tokens }, random) => {
    const token = random.pick(tokens);
    const times = random.once(16) ? random.int(4000) : random.int(8);
    return replaced(bytes, random.int(bytes.length + 1), 0, joined(...Array.from({ length: times }, () => token)));
  },
];

/** One mutation of the bytes, and now and then some more. */
export function mutate(bytes: Uint8Array, material: Material, random: Random): Uint8Array {
  let out = bytes;
  do {
    const mutation = random.pick(mutations);
    out = out.length === 0 ? random.pick(material.tokens) : mutation(out, material, random);
    if (out.length > maxLength) out = out.subarray(0, maxLength);
  } while (!random.once(3));
  return out;
}

/** Words of a format, given as texts of characters up to 255 or as bytes. */
export function tokensOf(...words: readonly (string | readonly number[])[]): Uint8Array[] {
  return words.map(word => (typeof word === 'string' ? new Uint8Array(Buffer.from(word, 'latin1')) : Uint8Array.from(word)));
}
