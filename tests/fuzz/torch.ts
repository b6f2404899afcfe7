/** Checkpoints of PyTorch, in the zip format and in the legacy one: storages whose sizes lie, views that reach too far. */
import { readZip } from '../../src/data/formats/zip.ts';
import { checkArchive, type Packed, repacked } from './archive.ts';
import { anyCheckpoint, pickleOf, readCheckpoint, storageCode, torchLegacy, torchZip } from './checkpoint.ts';
import type { Format, Input } from './format.ts';
import { joined, type Material, mutate, tokensOf } from './mutate.ts';
import { fixtures, pickleTokens } from './pickle.ts';
import { changedOperations, disassembled, op } from './pickleCode.ts';
import type { Random } from './random.ts';

// Files of more than this are left out of what is mutated: small ones say the same in less time.
const small = ({ bytes }: Input): boolean => bytes.length <= 4600;
const readable = /^(dtypes|tensor|gpu|big-endian|views|new-dtypes|training)/;
// Types that are only listed make reading all tensors an error.
const whole = ({ name }: Input): boolean => !/^dtypes/.test(name);
const seedsOf = (pattern: RegExp): Input[] =>
  fixtures(pattern)
    .filter(each => readable.test(each.name) && small(each))
    .map(each => (whole(each) ? { ...each, expected: 'accepted' } : each));

const zipSeeds = seedsOf(/^big-endian|-zip/);
const legacySeeds = seedsOf(/-legacy/);

const zipFiles = zipSeeds.map(({ bytes }) =>
  readZip(bytes, 'seed').map((entry): Packed => ({ name: entry.name, content: entry.read() })),
);
const zipPickles = zipFiles.map(
  files => disassembled(files.find(({ name }) => String(name).endsWith('data.pkl'))!.content).operations,
);

function restructureZip(random: Random, material: Material): Uint8Array {
  const change = ({ name, content }: Packed): Uint8Array =>
    String(name).endsWith('data.pkl')
      ? changedOperations(disassembled(content).operations, random.pick(zipPickles), random)
      : mutate(content, material, random);
  const files = random.pick(zipFiles);
  // The object is what matters most.
  const object = files.findIndex(({ name }) => String(name).endsWith('data.pkl'));
  const first = random.once(4) ? files : files.map((file, i) => (i === object ? { ...file, content: change(file) } : file));
  return repacked(first, random.once(3) ? change : ({ content }) => content, random);
}

/** The five pickles of a legacy file, and what follows. */
function legacyParts(bytes: Uint8Array): { pickles: Uint8Array[][]; rest: Uint8Array } {
  const pickles: Uint8Array[][] = [];
  let at = 0;
  for (let k = 0; k < 5; k++) {
    const { operations, end } = disassembled(bytes, at);
    pickles.push(operations);
    at = end;
  }
  return { pickles, rest: bytes.subarray(at) };
}
const legacyFiles = legacySeeds.map(({ bytes }) => legacyParts(bytes));

function restructureLegacy(random: Random, material: Material): Uint8Array {
  const { pickles, rest } = random.pick(legacyFiles);
  const chosen = random.once(3) ? random.int(6) : 3;
  const donor = random.pick(legacyFiles).pickles[3];
  const parts = pickles.map((operations, i) =>
    i === chosen ? changedOperations(operations, donor, random) : joined(...operations),
  );
  return joined(...parts, chosen === 5 ? mutate(rest, material, random) : rest);
}

const attack = (name: string, bytes: Uint8Array, expected: Input['expected'] = 'rejected'): Input => ({ name, bytes, expected });
const sizes = (...values: readonly (number | bigint)[]): Uint8Array =>
  joined(op.mark, ...values.map(value => op.long(BigInt(value))), op.tuple);

/** One tensor over storage 0 of `count` floats. */
function view(
  offset: number | bigint,
  shape: readonly (number | bigint)[],
  strides: readonly (number | bigint)[],
  count = 4,
): Uint8Array {
  return pickleOf(
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.mark,
    storageCode('float32', '0', count),
    op.long(BigInt(offset)),
    sizes(...shape),
    sizes(...strides),
    op.false,
    op.emptyDict,
    op.tuple,
    op.reduce,
  );
}
const sixteen = new Uint8Array(16);
const both = (name: string, pickle: Uint8Array, expected: Input['expected'] = 'rejected'): { zip: Input; legacy: Input } => ({
  zip: attack(name, torchZip(pickle, [sixteen]), expected),
  legacy: attack(name, torchLegacy(pickle, [{ count: 4, content: sixteen }]), expected),
});
const far = 2n ** 62n;
const id = (...parts: readonly Uint8Array[]): Uint8Array => pickleOf(op.mark, ...parts, op.tuple, op.persistent);
const shared = (): readonly { zip: Input; legacy: Input }[] => [
  both('an offset beyond the storage', view(4, [1], [1])),
  both('an offset of 2^62', view(far, [1], [1])),
  both('a negative offset', view(-1, [1], [1])),
  both('a stride beyond the storage', view(0, [2], [4])),
  both('strides that overflow', view(0, [2, 2], [far, far])),
  both('strides of 2^53 - 1', view(0, new Array(60).fill(2 ** 53 - 1), new Array(60).fill(2 ** 53 - 1))),
  both('a negative stride', view(3, [4], [-1])),
  both('sizes whose product overflows to a small number', view(0, [2n ** 32n, 2n ** 32n], [0, 0])),
  both('a value repeated 10^12 times', view(0, [1_000_000, 1_000_000], [0, 0])),
  both(
    'nothing, of a shape beyond all doubles',
    view(0, [...new Array<number>(30).fill(2 ** 53 - 1), 0], new Array(31).fill(1)),
    'accepted',
  ),
  both('65 axes', view(0, new Array(65).fill(1), new Array(65).fill(1))),
  both('fewer strides than axes', view(0, [2, 2], [1])),
  both('a storage of more than there is', view(0, [1], [1], 5)),
  both('a storage of 2^31 - 1 elements', view(0, [1], [1], 2 ** 31 - 1)),
  both('a storage of -1 elements', view(0, [1], [1], -1)),
  both(
    'a type named after what all objects have',
    id(op.text('storage'), op.text('constructor'), op.text('0'), op.text('cpu'), op.int(4)),
  ),
  both(
    'a tensor of such a type',
    pickleOf(
      op.global('torch._utils', '_rebuild_tensor_v2'),
      op.mark,
      op.mark,
      op.text('storage'),
      op.text('torch.toString'),
      op.text('0'),
      op.text('cpu'),
      op.int(4),
      op.tuple,
      op.persistent,
      op.int(0),
      sizes(1),
      sizes(1),
      op.false,
      op.emptyDict,
      op.tuple,
      op.reduce,
    ),
  ),
  both('an id that is no tuple', pickleOf(op.none, op.persistent)),
  both('an id of two parts', id(op.text('storage'), op.none)),
  both(
    'an id of a million parts',
    id(
      op.text('storage'),
      op.global('torch', 'FloatStorage'),
      op.text('0'),
      op.text('cpu'),
      op.int(4),
      new Uint8Array(1_000_000).fill(0x4e),
    ),
  ),
  both(
    'a key upwards',
    id(op.text('storage'), op.global('torch', 'FloatStorage'), op.text('../../../../etc/passwd'), op.text('cpu'), op.int(4)),
  ),
  both('a bare storage', pickleOf(storageCode('float32', '0', 4))),
];
const good = view(0, [4], [1]);

const zipAttacks = (): readonly Input[] => [
  ...shared().map(({ zip }) => zip),
  ...fixtures(/^(attack-zip|module|script|export)/, 'rejected').filter(({ name }) => !/legacy/.test(name)),
  attack("a storage that is another's data", repackedShared()),
  attack('an object that states 1 GB', torchZip(new Uint8Array(0), [])),
];

/** Two storages over the same bytes of the archive. */
function repackedShared(): Uint8Array {
  const zip = torchZip(good, [sixteen, sixteen]);
  // The second one's directory record points at the first one's data.
  const buffer = Buffer.from(zip);
  const record = buffer.lastIndexOf('archive/data/1') - 46;
  buffer.writeUInt32LE(buffer.indexOf('archive/data/0') - 30, record + 42);
  return new Uint8Array(buffer);
}

const legacyAttacks = (): readonly Input[] => [
  ...shared().map(({ legacy }) => legacy),
  ...fixtures(/^attack-legacy/, 'rejected'),
  attack('a storage whose count lies', torchLegacy(good, [{ count: 3, content: sixteen }])),
  attack('a storage of a negative count', torchLegacy(good, [{ count: -1, content: sixteen }])),
  attack('a storage of 2^62 elements', torchLegacy(good, [{ count: far, content: sixteen }])),
  attack('no storages', torchLegacy(good, [])),
  attack(
    'a storage too many',
    torchLegacy(good, [
      { count: 4, content: sixteen },
      { count: 4, content: sixteen },
    ]),
  ),
  attack('data behind the end', joined(torchLegacy(good, [{ count: 4, content: sixteen }]), sixteen)),
];

const words = [
  ...pickleTokens,
  ...tokensOf('storage', 'torch\nFloatStorage\n', 'cpu', 'meta', 'little', 'big', 'PK\x03\x04', 'PK\x01\x02', 'constructor'),
];

export const torchZipFormat: Format = {
  name: 'torch-zip',
  seeds: zipSeeds,
  attacks: zipAttacks,
  tokens: words,
  generate: random => anyCheckpoint('zip', random),
  restructure: restructureZip,
  read: bytes => {
    const tree = readCheckpoint(bytes, 'x.pth');
    if (bytes[0] === 0x50 && bytes[1] === 0x4b) checkArchive(bytes);
    return tree;
  },
};

export const torchLegacyFormat: Format = {
  name: 'torch-legacy',
  seeds: legacySeeds,
  attacks: legacyAttacks,
  tokens: words,
  generate: random => anyCheckpoint('legacy', random),
  restructure: restructureLegacy,
  read: bytes => readCheckpoint(bytes, 'x.pth'),
};
