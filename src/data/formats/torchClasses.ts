import { type ArrayOwner, sizesOf } from './numpyClasses.ts';
import { type PickleClass, type PickleContext, PickleGlobal } from './pickleClass.ts';
import { StoredTensor, storedTensor, type TensorStorage, type UnreadableKind, unreadableTensor } from './storedTensor.ts';
import { dtypeAliases, storageTypes, torchElementBytes } from './torchTypes.ts';

/** A storage as tensors are made of it: part of the file, seen as elements of a type. */
export class TorchStorage {
  readonly data: TensorStorage;
  readonly dtype: string;
  /** Bytes from the start of `data`, and number of bytes. */
  readonly start: number;
  readonly length: number;

  constructor(data: TensorStorage, dtype: string, start: number, length: number) {
    this.data = data;
    this.dtype = dtype;
    this.start = start;
    this.length = length;
  }
}

/** What a persistent id says: `('storage', class, key, location, number of elements)`, and a view's part in old files. */
export interface StorageId {
  readonly dtype: string;
  readonly key: string;
  readonly location: string;
  readonly bytes: number;
  readonly rest: readonly unknown[];
}

/** Reads a persistent id. @throws Error if it is none of a storage */
export function storageId(id: unknown, context: PickleContext): StorageId {
  if (!Array.isArray(id) || id.length < 5 || id.length > 6 || id[0] !== 'storage')
    throw context.error('expected the id of a storage');
  const [, type, key, location, count, ...rest] = id;
  const dtype = typeof type === 'string' ? storageTypes.get(type.replace(/^torch\./, '')) : undefined;
  if (dtype === undefined || typeof key !== 'string' || typeof location !== 'string' || !isSize(count)) {
    throw context.error('expected the type, key, place and size of a storage');
  }
  return { dtype, key, location, bytes: count * torchElementBytes.get(dtype)!, rest };
}

/** The same storage, ending earlier. */
function limited(data: TensorStorage, byteLength: number): TensorStorage {
  return { where: data.where, byteLength, bigEndian: data.bigEndian, read: () => data.read() };
}

/** Whether a value is a size that fits into 2^50 bytes. */
export function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 2 ** 46;
}

function dtypeNamed(value: unknown, context: PickleContext): string {
  const name = typeof value === 'string' ? value.replace(/^torch\./, '') : '';
  if (!torchElementBytes.has(name)) throw context.error('expected an element type of PyTorch');
  return name;
}

/** Names of the classes that tensors of each type once had, as values. */
const tensorClasses = ['Double', 'Float', 'Half', 'BFloat16', 'Long', 'Int', 'Short', 'Char', 'Byte', 'Bool'].map(
  name => `${name}Tensor`,
);

/**
 * PyTorch's part of the allow-list: what rebuilds tensors and parameters, the classes of storages (as `torch.FloatStorage`),
 * element types (as `torch.float32`) and the little values that go with them.
 * @param loadStorage reads a storage that was saved on its own, in the old format (as in tensors pickled without PyTorch's help)
 */
export function torchClasses(
  owner: ArrayOwner,
  loadStorage?: (bytes: Uint8Array) => TorchStorage,
): ReadonlyMap<string, PickleClass> {
  const tensor = (args: readonly unknown[], context: PickleContext, dtype?: string): StoredTensor => {
    const [storage, offset, size, stride] = args;
    if (!(storage instanceof TorchStorage) || !isSize(offset))
      throw context.error('expected a storage and an offset to make a tensor of');
    const type = dtype ?? storage.dtype;
    const { data, start, length } = storage;
    const layout = {
      dtype: type,
      shape: sizesOf(size, context),
      strides: sizesOf(stride, context),
      byteOffset: start + offset * torchElementBytes.get(type)!,
    };
    const part: TensorStorage = start === 0 && length === data.byteLength ? data : limited(data, start + length);
    const { tensor: made, bytes } = storedTensor(part, layout, problem => context.error(problem));
    owner.reserve(bytes);
    return made;
  };
  const given: PickleClass = {
    call: ([made], context) => {
      if (!(made instanceof StoredTensor)) throw context.error('expected a tensor');
      return made;
    },
  };
  const shapeOnly = (dtype: string, shape: unknown, what: UnreadableKind, context: PickleContext): StoredTensor =>
    unreadableTensor(dtype, sizesOf(shape, context), owner.where, what);

  const unreadable = ({ dtype, shape }: StoredTensor, kind: UnreadableKind) => unreadableTensor(dtype, shape, owner.where, kind);
  /** Views that stand for the conjugate or the negative of what is stored say so in a dictionary of flags. */
  const marked = (made: StoredTensor, flags: unknown): StoredTensor =>
    flags instanceof Map && [...flags.values()].some(flag => flag === true) ? unreadable(made, 'negated') : made;

  /** `(layout, (indices, values, size, ...))`. */
  const sparse: PickleClass['call'] = ([, parts], context) => {
    if (!Array.isArray(parts) || parts.length < 3 || parts.length > 8)
      throw context.error('expected the parts of a sparse tensor');
    const size = parts.findLast(Array.isArray);
    const values = parts.findLast(part => part instanceof StoredTensor);
    return shapeOnly(values instanceof StoredTensor ? values.dtype : 'tensor', size, 'sparse', context);
  };
  /** `(function, type, arguments, state)`: a subclass of tensors, of which the plain tensor remains. */
  const fromType: PickleClass['call'] = ([rebuild, , args], context) => {
    if (!(rebuild instanceof PickleGlobal && rebuild.entry.call) || rebuild.entry.call === fromType || !Array.isArray(args)) {
      throw context.error('expected a function that rebuilds a tensor, and its arguments');
    }
    return rebuild.entry.call(args, context);
  };
  const oneText: PickleClass['call'] = ([text], context) => {
    if (typeof text !== 'string') throw context.error('expected a name');
    return text.slice(0, 100);
  };

  const classes: Readonly<Record<string, PickleClass>> = {
    '_utils._rebuild_tensor': { call: (args, context) => tensor(args, context) },
    '_utils._rebuild_tensor_v2': { call: (args, context) => marked(tensor(args, context), args[6]) },
    '_utils._rebuild_tensor_v3': {
      call: (args, context) => marked(tensor(args, context, dtypeNamed(args[6], context)), args[7]),
    },
    '_utils._rebuild_parameter': given,
    '_utils._rebuild_parameter_with_state': given,
    '_utils._rebuild_device_tensor_from_numpy': given,
    '_utils._rebuild_device_tensor_from_cpu_tensor': given,
    '_utils._rebuild_sparse_tensor': { call: sparse },
    '_utils._rebuild_qtensor': { call: (args, context) => unreadable(tensor(args, context), 'quantised') },
    '_utils._rebuild_nested_tensor': { call: (_, context) => shapeOnly('tensor', [], 'nested', context) },
    '_utils._rebuild_meta_tensor_no_storage': {
      call: ([dtype, size], context) => shapeOnly(dtypeNamed(dtype, context), size, 'meta', context),
    },
    '_tensor._rebuild_from_type_v2': { call: fromType },
    'nn.parameter.Parameter': given,
    'nn.parameter.Buffer': given,
    Tensor: {},
    'storage.TypedStorage': {},
    ...Object.fromEntries(['', 'cuda.'].flatMap(module => tensorClasses.map(name => [`${module}${name}`, {}]))),
    Size: {
      call: ([sizes = []], context) => sizesOf(sizes, context),
    },
    device: {
      call: ([type, index], context) => {
        if (typeof type !== 'string' || !(index === undefined || isSize(index))) throw context.error('expected a device');
        return index === undefined ? type.slice(0, 100) : `${type.slice(0, 100)}:${index}`;
      },
    },
    'serialization._get_layout': { call: oneText },
    ...Object.fromEntries(
      [
        'per_tensor_affine',
        'per_tensor_symmetric',
        'per_channel_affine',
        'per_channel_symmetric',
        'per_channel_affine_float_qparams',
      ].map(name => [name, { value: `torch.${name}` }]),
    ),
    ...Object.fromEntries([...torchElementBytes.keys()].map(name => [name, { value: `torch.${name}` }])),
    ...Object.fromEntries(Object.entries(dtypeAliases).map(([alias, name]) => [alias, { value: `torch.${name}` }])),
    ...Object.fromEntries(
      [...storageTypes.keys()].flatMap(name =>
        ['', 'cuda.', 'storage.'].map(module => [`${module}${name}`, { value: `torch.${name}` }]),
      ),
    ),
    'storage._UntypedStorage': { value: 'torch.UntypedStorage' },
  };
  const named = Object.entries(classes).map(([name, entry]): [string, PickleClass] => [`torch.${name}`, entry]);
  if (loadStorage) {
    const call: PickleClass['call'] = ([bytes], context) => {
      if (!(bytes instanceof Uint8Array)) throw context.error('expected the bytes of a storage');
      context.spend(bytes.length);
      return loadStorage(bytes);
    };
    named.push(['torch.storage._load_from_bytes', { call }]);
  }
  return new Map(named);
}
