import { elementBytes, numpyElementTypes } from './elements.ts';
import { decodeFloat16 } from './float16.ts';
import { type PickleClass, type PickleContext, Unfinished } from './pickleClass.ts';
import { plainInteger } from './pickleReader.ts';
import { bytesOfLatin1 } from './pythonClasses.ts';
import { type StoredTensor, storedTensor, unreadableTensor } from './storedTensor.ts';

/** What tensors made of a pickle's own bytes need to know of their file. */
export interface ArrayOwner {
  readonly where: string;
  /** Counts memory that reading will take. */
  readonly reserve: (bytes: number) => void;
}

/** The sizes of an array or tensor. @throws Error if they are none */
export function sizesOf(value: unknown, context: PickleContext): number[] {
  const fits = Array.isArray(value) && value.length <= 64 && value.every(size => Number.isSafeInteger(size) && size >= 0);
  if (!fits) throw context.error('expected a tuple of sizes');
  context.spend(value.length);
  return [...value];
}

/** `numpy.dtype('f4', False, True)`, then its state: `(3, '<', None, ...)`. As a value: `<f4`. */
function dtypeOf(args: readonly unknown[], context: PickleContext): Unfinished {
  const [code] = args;
  if (typeof code !== 'string' || !/^[a-zA-Z]\d{0,9}$/.test(code)) throw context.error('expected the code of a NumPy type');
  return new Unfinished((state, later) => {
    const order = Array.isArray(state) && state.length >= 2 ? state[1] : undefined;
    if (typeof order !== 'string' || !/^[<>|=]$/.test(order)) throw later.error('expected the byte order of a NumPy type');
    return `${order}${code}`;
  });
}

/** A NumPy array of a type string, shape and bytes. */
function arrayOf(
  type: unknown,
  shape: readonly number[],
  fortranOrder: boolean,
  raw: unknown,
  given: { owner: ArrayOwner; context: PickleContext },
): StoredTensor {
  const { owner, context } = given;
  if (typeof type !== 'string' || type.length > 20) throw context.error('expected the type of a NumPy array');
  const element = numpyElementTypes.get(type.slice(1));
  if (!element) return unreadableTensor(type, shape, owner.where, 'NumPy');
  // Python 2 wrote data as text.
  const bytes = typeof raw === 'string' ? bytesOfLatin1(raw, context) : raw;
  if (!(bytes instanceof Uint8Array)) throw context.error('expected the data of a NumPy array as bytes');
  const width = elementBytes[element];
  const count = shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, 1);
  if (count * width !== bytes.length)
    throw context.error(`a NumPy array of ${count} elements of ${type} in ${bytes.length} bytes`);
  const axes = shape.map((_, axis) => axis);
  const product = (of: readonly number[]): number => of.reduce((all, axis) => all * shape[axis], 1);
  const strides = axes.map(axis => product(fortranOrder ? axes.slice(0, axis) : axes.slice(axis + 1)));
  const storage = {
    where: owner.where,
    byteLength: bytes.length,
    bigEndian: type.startsWith('>'),
    read: () => (bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()),
  };
  const { tensor, bytes: needed } = storedTensor(storage, { dtype: element, shape, strides, byteOffset: 0 }, problem =>
    context.error(problem),
  );
  owner.reserve(needed + bytes.length);
  return tensor;
}

/** `numpy.core.multiarray._reconstruct(ndarray, (0,), b'b')`, then its state: `(1, shape, dtype, Fortran order, data)`. */
function reconstruct(owner: ArrayOwner): PickleClass['call'] {
  return () =>
    new Unfinished((state, context) => {
      if (!Array.isArray(state) || state.length !== 5) throw context.error('expected the state of a NumPy array');
      const [, shape, type, fortranOrder, raw] = state;
      return arrayOf(type, sizesOf(shape, context), fortranOrder === true, raw, { owner, context });
    });
}

/** `numpy.core.numeric._frombuffer(bytes, dtype, shape, 'C' or 'F')`. */
function fromBuffer(owner: ArrayOwner): PickleClass['call'] {
  return (args, context) => {
    const [raw, type, shape, order] = args;
    if (order !== 'C' && order !== 'F') throw context.error('expected the order of an array to be C or F');
    return arrayOf(type, sizesOf(shape, context), order === 'F', raw, { owner, context });
  };
}

/** `numpy.core.multiarray.scalar(dtype, bytes)`: a plain value. */
function scalar(args: readonly unknown[], context: PickleContext): unknown {
  const [type, raw] = args;
  const bytes = typeof raw === 'string' ? bytesOfLatin1(raw, context) : raw;
  const match = typeof type === 'string' ? /^([<>|=])([fiubU])(\d{1,9})$/.exec(type) : undefined;
  if (args.length !== 2 || !match || !(bytes instanceof Uint8Array))
    throw context.error('expected the type and the bytes of a NumPy scalar');
  const [, order, kind, size] = match;
  const little = order !== '>';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const expected = kind === 'U' ? 4 * Number(size) : Number(size);
  if (bytes.length !== expected) throw context.error(`a NumPy scalar of ${expected} bytes in ${bytes.length}`);
  switch (`${kind}${kind === 'U' ? '' : size}`) {
    case 'f8':
      return view.getFloat64(0, little);
    case 'f4':
      return view.getFloat32(0, little);
    case 'f2':
      return decodeFloat16(Uint16Array.of(view.getUint16(0, little)))[0];
    case 'i8':
      return plainInteger(view.getBigInt64(0, little));
    case 'i4':
      return view.getInt32(0, little);
    case 'i2':
      return view.getInt16(0, little);
    case 'i1':
      return view.getInt8(0);
    case 'u8':
      return plainInteger(view.getBigUint64(0, little));
    case 'u4':
      return view.getUint32(0, little);
    case 'u2':
      return view.getUint16(0, little);
    case 'u1':
      return view.getUint8(0);
    case 'b1':
      return view.getUint8(0) !== 0;
    case 'U': {
      context.spend(bytes.length);
      const codes = Array.from({ length: Number(size) }, (_, i) => view.getUint32(4 * i, little));
      if (codes.some(code => code > 0x10ffff)) throw context.error('a NumPy text with impossible characters');
      return codes
        .map(code => String.fromCodePoint(code))
        .join('')
        .replace(/\0+$/, '');
    }
    default:
      throw context.error(`NumPy scalars of type ${type} are not supported`);
  }
}

/** NumPy's arrays (as tensors), scalars (as plain values) and types (as their codes). */
export function numpyClasses(owner: ArrayOwner): ReadonlyMap<string, PickleClass> {
  // The packages' names before and since NumPy 2.
  const modules = ['numpy.core', 'numpy._core'];
  return new Map<string, PickleClass>([
    ['numpy.ndarray', {}],
    ['numpy.dtype', { call: dtypeOf }],
    ...modules.flatMap((module): [string, PickleClass][] => [
      [`${module}.multiarray._reconstruct`, { call: reconstruct(owner) }],
      [`${module}.multiarray.scalar`, { call: scalar }],
      [`${module}.numeric._frombuffer`, { call: fromBuffer(owner) }],
    ]),
  ]);
}
