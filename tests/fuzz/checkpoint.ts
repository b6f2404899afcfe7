/** Checks of what the checkpoint reader gives, and checkpoints of random views of random storages. */
import { PickleGlobal } from '../../src/data/formats/pickleClass.ts';
import { StoredTensor } from '../../src/data/formats/storedTensor.ts';
import { type CheckpointValue, parseTorchCheckpoint } from '../../src/data/formats/torchCheckpoint.ts';
import { zipOf } from './archive.ts';
import { decoders, describeToo, ensureElements, gatherOffsets, stridesOf } from './elements.ts';
import { ensure, type Input } from './format.ts';
import { joined } from './mutate.ts';
import { op } from './pickleCode.ts';
import type { Random } from './random.ts';

/** Tensors of more elements are not read: views of a few bytes may honestly have very many. */
const maxElements = 2 ** 20;

/** What a pickle's values may be; anything else must not come out. */
function isPlain(value: unknown): boolean {
  return value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value) || value instanceof Uint8Array;
}

/** Walks a tree, branches that are used twice each time. @throws Wrong if it is none, or holds what it must not */
export function checkValues(root: unknown, length: number): StoredTensor[] {
  const tensors = new Set<StoredTensor>();
  const open: unknown[] = [root];
  for (let count = 0; open.length > 0; count++) {
    ensure(count <= 100 * length + 2 ** 22, 'the tree is endless');
    const value = open.pop();
    if (Array.isArray(value) || value instanceof Set) for (const each of value) open.push(each);
    else if (value instanceof Map) for (const [key, each] of value) open.push(key, each);
    else if (value instanceof StoredTensor) tensors.add(value);
    else if (value instanceof PickleGlobal)
      ensure(!/^(posix|os|nt|sys|subprocess)\b|eval|exec|system/.test(value.name), value.name);
    else ensure(isPlain(value), () => `it holds ${Object.prototype.toString.call(value)}`);
  }
  return [...tensors];
}

/** Reads a checkpoint and all its tensors. @throws what the reader throws; Wrong if something is not as it should be */
export function readCheckpoint(bytes: Uint8Array, name: string): CheckpointValue {
  const tree = parseTorchCheckpoint(bytes, name);
  let unread: unknown;
  for (const tensor of checkValues(tree, bytes.length)) {
    const { shape } = tensor;
    ensure(
      shape.every(extent => Number.isSafeInteger(extent) && extent >= 0),
      () => `a shape of [${shape}]`,
    );
    const count = shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, 1);
    if (count > maxElements) continue;
    try {
      const array = tensor.read();
      ensure(
        String(array.shape) === String(shape) && array.data.length === count,
        () => `[${shape}] is read as [${array.shape}]`,
      );
    } catch (thrown) {
      // Values that do not fit, or types that are only listed: the others are read all the same.
      if (!(thrown instanceof Error) || thrown.name !== 'DataError') throw thrown;
      unread ??= thrown;
    }
  }
  describeToo(bytes, name);
  if (unread !== undefined) throw unread;
  return tree;
}

const storageNames: Readonly<Record<string, string>> = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
};

interface View {
  readonly storage: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A view that lies within `count` elements: strides of any order, overlapping ones and zeros among them. */
function anyView(storage: number, count: number, random: Random): View {
  const shape = Array.from({ length: random.int(4) }, () => (random.once(10) ? 0 : 1 + random.int(4)));
  let strides = random.once(2) ? stridesOf(shape, random.once(2)) : shape.map(() => random.int(5));
  const reach = (): number => shape.reduce((sum, extent, axis) => sum + Math.max(0, extent - 1) * strides[axis], 0);
  if (reach() >= count) strides = shape.map(() => 0);
  return { storage, offset: random.int(Math.max(1, count - reach())), shape, strides };
}

const ints = (values: readonly number[]): Uint8Array => joined(op.mark, ...values.map(op.int), op.tuple);

/** `torch._utils._rebuild_tensor_v2(persistent id, offset, size, stride, False, OrderedDict())`. */
function tensorCode({ storage, offset, shape, strides }: View, type: string, count: number): Uint8Array {
  return joined(
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.mark,
    storageCode(type, String(storage), count),
    op.int(offset),
    ints(shape),
    ints(strides),
    op.false,
    op.global('collections', 'OrderedDict'),
    op.emptyTuple,
    op.reduce,
    op.tuple,
    op.reduce,
  );
}

/** A persistent id, resolved. */
export function storageCode(type: string, key: string, count: number): Uint8Array {
  return joined(
    op.mark,
    op.text('storage'),
    op.global('torch', storageNames[type]),
    op.text(key),
    op.text('cpu'),
    op.int(count),
    op.tuple,
    op.persistent,
  );
}

/** A pickle of these operations. */
export const pickleOf = (...operations: readonly Uint8Array[]): Uint8Array => joined(op.protocol(2), ...operations, op.stop);

/** The zip format: an object and its storages. */
export function torchZip(pickle: Uint8Array, storages: readonly Uint8Array[], bigEndian = false): Uint8Array {
  return zipOf([
    { name: 'archive/data.pkl', content: pickle },
    { name: 'archive/byteorder', content: new Uint8Array(Buffer.from(bigEndian ? 'big' : 'little')) },
    ...storages.map((content, i) => ({ name: `archive/data/${i}`, content })),
    { name: 'archive/version', content: new Uint8Array(Buffer.from('3\n')) },
  ]);
}

const magic = joined(
  op.protocol(2),
  Uint8Array.of(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19),
  op.stop,
);
const machine = pickleOf(op.emptyDict, op.text('little_endian'), Uint8Array.of(0x88), op.setItem);

/** The legacy format: an object, its storages' keys, and the storages with their numbers of elements. */
export function torchLegacy(
  pickle: Uint8Array,
  storages: readonly { readonly count: number | bigint; readonly content: Uint8Array }[],
): Uint8Array {
  const keys = pickleOf(op.emptyList, op.mark, ...storages.map((_, i) => op.text(String(i))), op.appends);
  const data = storages.map(({ count, content }) => joined(op.long(BigInt(count)).subarray(2), content));
  return joined(magic, pickleOf(op.int(1001)), machine, pickle, keys, ...data);
}

/** A state_dict of random views, and what each of them must read as, element by element. */
export function anyCheckpoint(format: 'zip' | 'legacy', random: Random): Input {
  const types = Object.keys(storageNames);
  const bigEndian = format === 'zip' && random.once(3);
  const storages = Array.from({ length: 1 + random.int(3) }, () => {
    const type = random.pick(types);
    const count = 1 + random.int(40);
    const content = Uint8Array.from({ length: count * decoders.get(type)![0] }, () => random.int(120));
    return { type, count, content };
  });
  const views = Array.from({ length: 1 + random.int(4) }, () => {
    const storage = random.int(storages.length);
    return anyView(storage, storages[storage].count, random);
  });
  // A legacy file may not list storages that nothing refers to: every one has a view of its own.
  const whole = storages.map(({ count }, storage): View => ({ storage, offset: 0, shape: [count], strides: [1] }));
  const all = [...views, ...whole];
  const entries = all.map((view, i) =>
    joined(op.text(`w${i}`), tensorCode(view, storages[view.storage].type, storages[view.storage].count)),
  );
  const pickle = pickleOf(op.emptyDict, op.mark, ...entries, op.setItems);
  const bytes =
    format === 'zip'
      ? torchZip(
          pickle,
          storages.map(({ content }) => content),
          bigEndian,
        )
      : torchLegacy(pickle, storages);
  const check = (tree: unknown): void => {
    ensure(tree instanceof Map, 'no dictionary');
    all.forEach(({ storage, offset, shape, strides }, i) => {
      const tensor: unknown = tree.get(`w${i}`);
      ensure(tensor instanceof StoredTensor, `w${i} is missing`);
      const { type, content } = storages[storage];
      const offsets = gatherOffsets(shape, strides).map(each => each + offset);
      ensureElements(tensor.read(), type, shape, { bytes: content, start: 0, little: !bigEndian, offsets });
    });
  };
  return { name: 'generated', bytes, expected: 'accepted', check };
}
