import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { crc32 } from '../../src/data/formats/crc32.ts';
import { DataError } from '../../src/data/formats/dataError.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { encodeNpz } from '../../src/data/formats/npz.ts';
import { StoredTensor } from '../../src/data/formats/storedTensor.ts';
import { type CheckpointValue, parseTorchCheckpoint } from '../../src/data/formats/torchCheckpoint.ts';
import { findStateDict } from '../../src/data/stateDict.ts';
import { ndarray, zeros } from '../../src/engine/ndarray.ts';
import { messageThrown } from './builders.ts';
import { checkpoint, type Layout, pickle, tensorOpcodes } from './pickles.ts';

/** Written by bench/pytorch/checkpoint_fixtures.py, with PyTorch 1.13 and 2.15. */
const folder = join(import.meta.dirname, 'torch');
const bytesOf = (file: string): Uint8Array => readFileSync(join(folder, file));
const parse = (file: string): CheckpointValue => parseTorchCheckpoint(bytesOf(file), file);
const names = readdirSync(folder);

/** A tree in the form in which the script wrote down what PyTorch itself reads. */
function shown(value: CheckpointValue): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value).replace('NaN', 'nan').replace('Infinity', 'inf');
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (value instanceof StoredTensor) return shownTensor(value);
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [shown(k), shown(v)]) };
  if (value instanceof Set) return { set: [...value].sort() };
  return Array.isArray(value) ? value.map(shown) : value;
}

function shownTensor(tensor: StoredTensor): unknown {
  const head = { tensor: tensor.dtype, shape: tensor.shape };
  if (/^(complex|quint)/.test(tensor.dtype)) return head;
  const { shape, data, dtype } = tensor.read();
  expect(shape).toEqual(tensor.shape);
  const value = (x: number | bigint): unknown => {
    if (dtype === 'bool') return x === 1;
    return shown(typeof x === 'bigint' && Number.isSafeInteger(Number(x)) ? Number(x) : x);
  };
  return { ...head, values: Array.from<number | bigint, unknown>(data, value) };
}

describe.each(['torch1', 'torch2'])('what PyTorch wrote (%s)', version => {
  const expected = JSON.parse(readFileSync(join(folder, `expected.${version}.json`), 'utf8')) as Record<string, unknown>;
  test.each(Object.keys(expected))('%s', file => {
    expect(shown(parse(file))).toEqual(expected[file]);
  });

  test('every file of this version is expected, or refused below', () => {
    const refused = /^(attack|module|script|export|shapes)/;
    expect(names.filter(name => name.includes(version) && !/\.json$/.test(name) && !refused.test(name)).sort()).toEqual(
      Object.keys(expected).sort(),
    );
  });
});

test('what lies in the file as it is shares its memory, and tensors of one storage share theirs', () => {
  const bytes = Uint8Array.from(bytesOf('views-zip.torch2.pth'));
  const tensors = parseTorchCheckpoint(bytes, 'views.pth') as ReadonlyMap<string, StoredTensor>;
  const [base, tied, offset, transposed] = ['base', 'tied', 'offset', 'transposed'].map(name => tensors.get(name)!.read().data);
  expect(base.buffer).toBe(bytes.buffer);
  expect(tied.buffer).toBe(bytes.buffer);
  expect([tied.byteOffset, offset.byteOffset - base.byteOffset]).toEqual([base.byteOffset, 20]);
  expect(transposed.buffer).not.toBe(bytes.buffer);
  // A file that is not aligned in memory is copied where it must be, and reads the same.
  const moved = new Uint8Array(bytes.length + 1);
  moved.set(bytes, 1);
  const again = parseTorchCheckpoint(moved.subarray(1), 'views.pth') as ReadonlyMap<string, StoredTensor>;
  expect(again.get('offset')!.read()).toEqual(tensors.get('offset')!.read());
});

test('an archive without checksums is read unchecked, as PyTorch writes it where told to', () => {
  const bytes = Buffer.from(checkpoint(tensorOpcodes()));
  for (let at = bytes.indexOf('PK\x01\x02'); at >= 0; at = bytes.indexOf('PK\x01\x02', at + 1)) bytes.writeUInt32LE(0, at + 16);
  expect((parseTorchCheckpoint(bytes, 'model.pth') as StoredTensor).read()).toEqual(
    ndarray('float32', [2, 3], Float32Array.of(0, 1, 2, 3, 4, 5)),
  );
});

test('a tensor without elements may be anywhere', () => {
  const empty = tensorOpcodes({ size: [2, 0], stride: [1, 1], offset: 100 });
  expect((parseTorchCheckpoint(checkpoint(empty), 'model.pth') as StoredTensor).read()).toEqual(zeros([2, 0]));
});

describe('what must not be read', () => {
  const refusal = (bytes: Uint8Array): string => messageThrown(() => parseTorchCheckpoint(bytes, 'model.pth'));
  const file = (name: string): string => refusal(bytesOf(name));

  test.each(['torch1', 'torch2'])('code, in pickles of %s: every name is given, nothing runs', version => {
    const message = /^model\.pth: the checkpoint needs os\.system, commands\.Popen, __builtin__\.eval, which are not on the list/;
    expect(file(`attack-zip.${version}.pth`)).toMatch(message);
    expect(file(`attack-legacy.${version}.pth`)).toMatch(message);
    expect(existsSync('executed')).toBe(false);
    expect(file(`module.${version}.pth`)).toMatch(/needs torch\.nn\.modules\.linear\.Linear, which is not on the list/);
  });

  test('programs and other files', () => {
    const script = 'model.pth: this is a TorchScript program, not a checkpoint; save its state_dict instead';
    expect([file('script.torch1.pt'), file('script.torch2.pt')]).toEqual([script, script]);
    expect(file('export.torch2.pt2')).toMatch(/a program of torch\.export, not a checkpoint; save its state_dict instead$/);
    const tar = new Uint8Array(1024);
    tar.set(Buffer.from('ustar'), 257);
    expect(refusal(tar)).toMatch(/found a tar archive, the format of PyTorch before 0\.1\.10/);
    expect(refusal(Buffer.from('<!DOCTYPE html>'))).toMatch(/found a web page or XML \(a download that failed\?\)$/);
    expect(refusal(Buffer.from('version https://git-lfs.github.com/spec/v1\n'))).toMatch(/found a pointer of Git LFS/);
    expect(refusal(encodeNpz({ x: zeros([1]) }))).toMatch(/\(with data\.pkl inside\), found a zip archive of "x\.npy"$/);
    expect(refusal(encodeNpy(zeros([1])))).toMatch(/found a \.npy file$/);
  });

  test.each(['tensor-zip.torch2.pth', 'views-legacy.torch1.pth', 'tensor-2.torch2.pkl'])('any beginning of %s', name => {
    const bytes = bytesOf(name);
    for (let length = 0; length < bytes.length; length++) expect(refusal(bytes.subarray(0, length))).toMatch(/^model\.pth: /);
  });

  test('a storage whose bytes have changed', () => {
    const bytes = Uint8Array.from(bytesOf('gpu-zip.torch2.pth'));
    const three = Buffer.from(Float32Array.of(3).buffer);
    bytes[Buffer.from(bytes.buffer).indexOf(three)] ^= 1;
    const { tensors } = findStateDict(parseTorchCheckpoint(bytes, 'model.pth'), 'model.pth');
    expect(messageThrown(() => tensors.get('weight')!.read())).toMatch(
      /^model\.pth: .*data\/0: damaged zip archive: wrong checksum$/,
    );
  });

  test('numbers that are not read are known by shape and type', () => {
    for (const version of ['torch1', 'torch2']) {
      const tree = parse(`shapes.${version}.pth`) as ReadonlyMap<string, StoredTensor>;
      const shape = (name: string) => [tree.get(name)!.dtype, tree.get(name)!.shape, tree.get(name)!.readable];
      expect([shape('sparse'), shape('meta')]).toEqual([
        ['float32', [3, 3], false],
        ['float32', [2, 3], false],
      ]);
      expect(messageThrown(() => tree.get('sparse')!.read())).toMatch(/a sparse tensor \[3, 3\] of type float32 cannot be read$/);
      expect(messageThrown(() => tree.get('meta')!.read())).toMatch(/a meta tensor \[2, 3\] of type float32 cannot be read$/);
      const types = parse(`dtypes-zip.${version}.pth`) as ReadonlyMap<string, StoredTensor>;
      expect(messageThrown(() => types.get('complex64')!.read())).toMatch(/a tensor \[2\] of type complex64 cannot be read$/);
      expect(messageThrown(() => types.get('quantised')!.read())).toMatch(
        /a quantised tensor \[6\] of type quint8 cannot be read$/,
      );
    }
  });

  test('a view that stands for the negative of what is stored, which it would be wrong to read as it is', () => {
    const tree = parse('shapes.torch2.pth') as ReadonlyMap<string, StoredTensor>;
    expect(messageThrown(() => tree.get('negated')!.read())).toMatch(/a negated tensor \[1\] of type float32 cannot be read$/);
  });

  test('a tensor over a storage on the meta device', () => {
    const tensor = parseTorchCheckpoint(checkpoint(tensorOpcodes({ location: 'meta' }), {}), 'model.pth') as StoredTensor;
    expect(tensor.shape).toEqual([2, 3]);
    expect(messageThrown(() => tensor.read())).toMatch(/data\/0: a meta tensor, which has a shape but no data$/);
  });

  const huge = 2 ** 31;
  test.each<[string, Layout, RegExp]>([
    [
      'an offset beyond its storage',
      { offset: 1 },
      /a tensor \[2, 3\] of type float32 reaches to byte 28 of a storage of 24 bytes/,
    ],
    ['a stride beyond its storage', { stride: [4, 1] }, /reaches to byte 28 of a storage of 24 bytes/],
    ['a size beyond its storage', { size: [2 ** 40, 1] }, /reaches to byte \d+ of a storage of 24 bytes/],
    ['sizes whose product is beyond measure', { size: [huge, huge], stride: [0, 0] }, /of the impossible shape \[2147483648, /],
    ['a size beyond 2^53', { size: [2n ** 70n, 1] }, /expected a tuple of sizes/],
    ['a negative size', { size: [-1, 3] }, /expected a tuple of sizes/],
    ['a negative stride', { stride: [-3, 1] }, /expected a tuple of sizes/],
    ['a negative offset', { offset: -1 }, /expected a storage and an offset/],
    ['fewer strides than sizes', { stride: [1] }, /a tensor of 2 axes with 1 strides/],
    [
      'expansion to what no memory holds',
      { size: [huge], stride: [0] },
      /its tensors would take \d+ bytes, out of proportion to the file/,
    ],
    ['a storage that is not there', { key: '1' }, /needs the storage data\/1, which the archive does not hold/],
    ['a storage of another size', { count: 5 }, /a storage of 20 bytes, but data\/0 has 24/],
    ['a storage of another type', { type: 'DoubleStorage' }, /a storage of 48 bytes, but data\/0 has 24/],
    ['a storage of an unknown type', { type: 'Tensor' }, /expected the type, key, place and size of a storage/],
  ])('a tensor with %s', (_, layout, message) => {
    expect(refusal(checkpoint(tensorOpcodes(layout)))).toMatch(message);
  });

  test('many tensors that each are small', () => {
    const expanded = tensorOpcodes({ size: [2 ** 20], stride: [0] });
    const many = (count: number) => checkpoint(pickle('(', ...Array.from({ length: count }, () => expanded), 'l'));
    expect(parseTorchCheckpoint(many(100), 'model.pth')).toHaveLength(100);
    expect(refusal(many(300))).toMatch(/its tensors would take \d+ bytes, out of proportion/);
  });

  test('a small archive with a large pickle', () => {
    const bomb = zipSync({ 'model/data.pkl': new Uint8Array(20e6).fill(0x4e) }, { level: 9 });
    expect(refusal(bomb)).toMatch(/model\/data\.pkl: states 20000000 bytes, out of proportion to the archive's \d+/);
  });

  test('archives that are none of one checkpoint', () => {
    expect(refusal(zipSync({ 'a/data.pkl': pickle('N.'), 'b/data.pkl': pickle('N.') }))).toMatch(/an archive of several/);
    expect(refusal(zipSync({ 'a/data.pkl': pickle('N.'), 'a/byteorder': Buffer.from('middle') }))).toMatch(
      /byte order "little" or "big"/,
    );
    expect(refusal(zipSync({ 'a/data.pkl': pickle('N.N') }))).toMatch(/expected data\.pkl to end at byte 2, found 3 bytes/);
  });

  test.each(['training-zip.torch2.pth', 'views-legacy.torch2.pth', 'plain-2.torch1.pkl', 'plain-4.torch2.pkl'])(
    'any damage to %s is answered with a value or one line',
    name => {
      const good = Uint8Array.from(bytesOf(name));
      const readAll = (value: CheckpointValue): void => {
        if (value instanceof StoredTensor) value.read();
        else if (value instanceof Map) for (const part of value.values()) readAll(part);
        else if (Array.isArray(value)) for (const part of value) readAll(part);
      };
      const change = fc.tuple(fc.nat(good.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('.(RbhQ}]t'))));
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), fc.boolean(), (changes, repaired) => {
          const bytes = good.slice();
          for (const [at, value] of changes) bytes[at] = value;
          try {
            readAll(parseTorchCheckpoint(repaired ? withChecksums(bytes) : bytes, 'f.pth'));
            return true;
          } catch (thrown) {
            return thrown instanceof DataError && thrown.message.startsWith('f.pth: ') && !thrown.message.includes('\n');
          }
        }),
        { numRuns: 1000, seed: 3 },
      );
    },
  );
});

/** The same archive with true checksums, so that changed contents get through to what reads them. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  const out = Buffer.from(bytes);
  for (let at = out.indexOf('PK\x01\x02'); at >= 0 && at + 46 <= out.length; at = out.indexOf('PK\x01\x02', at + 1)) {
    const local = out.readUInt32LE(at + 42);
    if (local + 30 > out.length) continue;
    const start = local + 30 + out.readUInt16LE(local + 26) + out.readUInt16LE(local + 28);
    out.writeUInt32LE(crc32(out.subarray(start, start + out.readUInt32LE(at + 20))), at + 16);
  }
  return out;
}
