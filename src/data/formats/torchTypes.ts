import { elementBytes } from './elements.ts';

/** Types of elements that are only looked at, not read: their sizes in bytes, by PyTorch's name. */
const otherTypes: Readonly<Record<string, number>> = {
  complex32: 4,
  complex64: 8,
  complex128: 16,
  quint8: 1,
  qint8: 1,
  qint32: 4,
  quint4x2: 1,
  quint2x4: 1,
  float4_e2m1fn_x2: 1,
  bits1x8: 1,
  bits2x4: 1,
  bits4x2: 1,
  bits8: 1,
  bits16: 2,
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7].flatMap(bits => [`uint${bits}`, `int${bits}`].map(name => [name, 1]))),
};

/** Size in bytes of every element type of PyTorch, by its name without `torch.`. */
export const torchElementBytes: ReadonlyMap<string, number> = new Map(Object.entries({ ...elementBytes, ...otherTypes }));

/** Python's names for some of them. */
export const dtypeAliases: Readonly<Record<string, string>> = {
  double: 'float64',
  float: 'float32',
  half: 'float16',
  long: 'int64',
  int: 'int32',
  short: 'int16',
  cfloat: 'complex64',
  cdouble: 'complex128',
  chalf: 'complex32',
};

/** The classes of storages, by the element type of each. An untyped storage counts bytes. */
export const storageTypes: ReadonlyMap<string, string> = new Map(
  Object.entries({
    DoubleStorage: 'float64',
    FloatStorage: 'float32',
    HalfStorage: 'float16',
    BFloat16Storage: 'bfloat16',
    LongStorage: 'int64',
    IntStorage: 'int32',
    ShortStorage: 'int16',
    CharStorage: 'int8',
    ByteStorage: 'uint8',
    BoolStorage: 'bool',
    ComplexFloatStorage: 'complex64',
    ComplexDoubleStorage: 'complex128',
    QUInt8Storage: 'quint8',
    QInt8Storage: 'qint8',
    QInt32Storage: 'qint32',
    QUInt4x2Storage: 'quint4x2',
    QUInt2x4Storage: 'quint2x4',
    UntypedStorage: 'uint8',
  }),
);
