import { type PickleClass, type PickleContext, PickleGlobal } from './pickleClass.ts';

/** A class whose objects are dictionaries with attributes that do not matter, such as the versions a state_dict carries along. */
const mapping: PickleClass = {
  call: (args, context) => {
    if (args.length > 1) throw context.error(`a dictionary is made of at most one argument, found ${args.length}`);
    return mapOf(args[0] ?? [], context);
  },
  build: () => {},
};

/** `defaultdict(list)`: the first argument says what missing entries would be. */
const defaultMapping: PickleClass = { ...mapping, call: (args, context) => mapping.call!(args.slice(1), context) };

/** A class whose objects are nothing but their attributes. */
const namespace: PickleClass = {
  call: (args, context) => {
    if (args.length > 0) throw context.error('a namespace is made of no arguments');
    return new Map();
  },
  build: (object, state, context) => {
    if (!(state instanceof Map)) throw context.error('expected the attributes of a namespace as a dictionary');
    context.spend(state.size);
    for (const [name, value] of state) (object as Map<unknown, unknown>).set(name, value);
  },
};

const setOf =
  (kind: string): PickleClass['call'] =>
  (args, context) => {
    const values = args[0] ?? [];
    if (args.length > 1 || !Array.isArray(values)) throw context.error(`${kind} is made of one list`);
    context.spend(values.length);
    return new Set(values);
  };

/** Pairs in a list, or another dictionary, as a new one. */
function mapOf(source: unknown, context: PickleContext): Map<unknown, unknown> {
  // An entry of a dictionary takes several times what it takes in the pickle.
  context.spend(8 * (source instanceof Map ? source.size : Array.isArray(source) ? source.length : 1));
  const entries: readonly unknown[] = source instanceof Map ? [...source] : Array.isArray(source) ? source : [undefined];
  const map = new Map<unknown, unknown>();
  for (const entry of entries) {
    if (!Array.isArray(entry) || entry.length !== 2) throw context.error('expected pairs to make a dictionary of');
    map.set(entry[0], entry[1]);
  }
  return map;
}

/** `_codecs.encode(text, 'latin1')`: how bytes are written up to protocol 2. Of no arguments: `bytes()`. */
function encode(args: readonly unknown[], context: PickleContext): Uint8Array {
  const [text, encoding] = args;
  if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) {
    throw context.error('expected a text to be encoded as latin1');
  }
  return bytesOfLatin1(text, context);
}

/** The bytes that a text of characters up to 255 stands for. */
export function bytesOfLatin1(text: string, context: PickleContext): Uint8Array {
  context.spend(text.length);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) throw context.error('expected characters of one byte');
    out[i] = code;
  }
  return out;
}

/** `bytes(...)` and `bytearray(...)` of nothing, of bytes, of a text with its encoding, or of a list of numbers. */
function bytesOf(args: readonly unknown[], context: PickleContext): Uint8Array {
  const [source, encoding] = args;
  if (args.length === 0) return new Uint8Array(0);
  if (source instanceof Uint8Array && args.length === 1) return source;
  if (typeof source === 'string') return encode([source, encoding], context);
  if (Array.isArray(source)) {
    context.spend(source.length);
    if (source.every(value => Number.isInteger(value) && value >= 0 && value < 256)) return Uint8Array.from(source);
  }
  throw context.error('expected something that bytes can be made of');
}

/** A path's parts, put together. */
const path =
  (separator: string): PickleClass['call'] =>
  (args, context) => {
    if (!args.every(part => typeof part === 'string')) throw context.error('expected a path to be made of texts');
    context.spend(args.reduce<number>((sum, part) => sum + (part as string).length + 1, 0));
    const [first = '.', ...rest] = args as string[];
    return rest.reduce((whole, part) => (whole.endsWith(separator) ? whole + part : `${whole}${separator}${part}`), first);
  };

/** A record of plain numbers or what else is given, under these names. */
const record =
  (...names: readonly string[]): PickleClass['call'] =>
  (args, context) => {
    if (args.length !== names.length) throw context.error(`expected ${names.join(', ')}, found ${args.length} values`);
    return new Map(names.map((name, i) => [name, args[i]]));
  };

/** `copy_reg._reconstructor(class, base, state)`: how objects are written in protocols 0 and 1. */
function reconstructor(args: readonly unknown[], context: PickleContext): unknown {
  const [made, base, state] = args;
  if (args.length !== 3 || !(made instanceof PickleGlobal && made.entry.call))
    throw context.error('expected a class to make an object of');
  const name = base instanceof PickleGlobal ? base.name : '';
  const plain = /\.object$/.test(name) && state === null;
  if (!plain && !/\.dict$/.test(name))
    throw context.error(`an object of ${made.name} made of ${name || 'a value'} is not supported`);
  const object = made.entry.call(plain ? [] : [state], context);
  if (typeof object === 'object' && object !== null) context.adopt(object, made.entry);
  return object;
}

/** Called with nothing new: `int`, `str` and the like of a value that is one already. */
const identity =
  (type: string): PickleClass['call'] =>
  (args, context) => {
    if (args.length !== 1 || typeof args[0] !== type) throw context.error(`expected one value of the type ${type}`);
    return args[0];
  };

const builtins: Readonly<Record<string, PickleClass>> = {
  bool: { call: identity('boolean') },
  bytearray: { call: bytesOf },
  bytes: { call: bytesOf },
  complex: { call: record('real', 'imag') },
  dict: mapping,
  float: { call: identity('number') },
  frozenset: { call: setOf('a frozenset') },
  int: { call: identity('number') },
  list: {},
  object: {},
  range: { call: record('start', 'stop', 'step') },
  set: { call: setOf('a set') },
  slice: { call: record('start', 'stop', 'step') },
  str: { call: identity('string') },
  tuple: {},
  type: {},
};

/** Classes that people subclass dictionaries with to hold a configuration. */
const configurations = [
  'addict.addict.Dict',
  'easydict.EasyDict',
  'fvcore.common.config.CfgNode',
  'lightning.fabric.utilities.data.AttributeDict',
  'lightning_fabric.utilities.data.AttributeDict',
  'mmcv.utils.config.ConfigDict',
  'mmengine.config.config.ConfigDict',
  'pytorch_lightning.utilities.parsing.AttributeDict',
  'yacs.config.CfgNode',
];

/** What the standard library and dictionaries for configurations put into checkpoints. */
export const pythonClasses: ReadonlyMap<string, PickleClass> = new Map<string, PickleClass>([
  ...Object.entries(builtins).map(([name, entry]): [string, PickleClass] => [`builtins.${name}`, entry]),
  ...Object.entries(builtins).map(([name, entry]): [string, PickleClass] => [`__builtin__.${name}`, entry]),
  ['__builtin__.unicode', { call: identity('string') }],
  ['__builtin__.long', { call: identity('number') }],
  ['_codecs.encode', { call: encode }],
  ['argparse.Namespace', namespace],
  ['types.SimpleNamespace', namespace],
  ['collections.Counter', mapping],
  ['collections.OrderedDict', mapping],
  ['collections.defaultdict', defaultMapping],
  ['copy_reg._reconstructor', { call: reconstructor }],
  ['copyreg._reconstructor', { call: reconstructor }],
  ['pathlib.Path', { call: path('/') }],
  ['pathlib.PosixPath', { call: path('/') }],
  ['pathlib.PurePosixPath', { call: path('/') }],
  ['pathlib.PureWindowsPath', { call: path('\\') }],
  ['pathlib.WindowsPath', { call: path('\\') }],
  ['pathlib._local.PosixPath', { call: path('/') }],
  ['pathlib._local.WindowsPath', { call: path('\\') }],
  ...configurations.map((name): [string, PickleClass] => [name, mapping]),
]);
