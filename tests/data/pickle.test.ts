import { expect, test } from 'vitest';
import { parseTorchCheckpoint } from '../../src/data/formats/torchCheckpoint.ts';
import { messageThrown } from './builders.ts';
import { integer, little, pickle, text } from './pickles.ts';

const read = (...parts: readonly (string | number | Uint8Array)[]): unknown => parseTorchCheckpoint(pickle(...parts), 'f.pkl');
const refusal = (...parts: readonly (string | number | Uint8Array)[]): string => messageThrown(() => read(...parts));

test('integers are numbers where exact, and bigints of any size beyond', () => {
  expect(read('(K', 255, 'M', 1, 2, 'J', 0xff, 0xff, 0xff, 0xff, 'I-7\nI01\nI00\nL12L\nt.')).toEqual([
    255,
    513,
    -1,
    -7,
    true,
    false,
    12,
  ]);
  expect(read('(L9007199254740991L\nL9007199254740992L\nl.')).toEqual([9007199254740991, 9007199254740992n]);
  expect(read('(', 0x8a, 0, 0x8a, 1, 0x80, 0x8a, 2, 0xff, 0, 0x8a, 9, ...Array(8).fill(0xff), 0x7f, 't.')).toEqual([
    0,
    -128,
    255,
    2n ** 71n - 1n,
  ]);
  const bytes = new Uint8Array(2000);
  bytes[1999] = 1;
  expect(read(0x8b, little(2000, 4), bytes, '.')).toBe(2n ** 15992n);
  bytes[1999] = 0x80;
  expect(read(0x8b, little(2000, 4), bytes, '.')).toBe(-(2n ** 15999n));
});

test('floats and texts of the old protocols', () => {
  expect(read('(F1.5\nF-inf\nFnan\nF1e+300\nF-0.0\nl.')).toEqual([1.5, Number.NEGATIVE_INFINITY, Number.NaN, 1e300, -0]);
  expect(read("(S'a\\'\\n\\x41\\101\\\\'\nS\"q\"\nl.")).toEqual(["a'\nAA\\", 'q']);
  expect(read('(V\\u0041\\U0001f3ac\xe9\nl.')).toEqual(['A\u{1f3ac}é']);
  expect(read('(U\x02\xe9aT\x01\x00\x00\x00bl.')).toEqual(['éa', 'b']);
});

test('memo entries, marks and copies are what the protocol says', () => {
  expect(read(']q', 0, '(K', 1, 'K', 2, 'e0(h', 0, 'h', 0, 't.')).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect(read(']', 0x94, 'K', 5, 'a0(h', 0, 'p7\n0g7\nt.')).toEqual([[5]]);
  expect(read('N2', 0x86, '.')).toEqual([null, null]);
  expect(read('(K', 1, '(K', 2, '0', '0', 't.')).toEqual([1]);
  expect(read('(K', 1, 'K', 2, '1N.')).toBe(null);
  expect(read('(', text('a'), 'K', 1, 'd.')).toEqual(new Map([['a', 1]]));
  expect(read(0x8f, '(K', 1, 'K', 1, 0x90, '.')).toEqual(new Set([1]));
});

test('names that mean something to JavaScript are names', () => {
  const tree = read('}(', text('__proto__'), '}', text('constructor'), 'K', 1, 'u.');
  expect(tree).toEqual(
    new Map<string, unknown>([
      ['__proto__', new Map()],
      ['constructor', 1],
    ]),
  );
  expect(refusal('cbuiltins\n__proto__\n.')).toMatch(/needs builtins\.__proto__, which is not on the list/);
  expect(refusal('c__proto__\ntoString\n.')).toMatch(/needs __proto__\.toString, which is not on the list/);
});

test('everything that is not on the list is named at once, and nothing of it runs', () => {
  const call = (module: string, name: string) => `c${module}\n${name}\n(Vx\ntR`;
  expect(refusal('(', call('os', 'system'), call('builtins', 'eval'), call('os', 'system'), 'l.')).toBe(
    'f.pkl: the checkpoint needs os.system, builtins.eval, which are not on the list of things it may hold (plain values, tensors, ' +
      'arrays); nothing of it was executed; save its weights alone, as a state_dict',
  );
  // Stand-ins go through everything that could be done with them.
  const object = pickle(text('a.b'), text('C'), 0x93, ')', 0x81);
  expect(refusal(object, '}', text('x'), 'K', 1, 'sb', 'c\nD\n(d', 0x85, 'R', 0x86, '.')).toMatch(/needs a\.b\.C, \.D, which/);
  expect(refusal(object, 'K', 1, 'a', 'K', 1, 'K', 2, 's(K', 1, 0x90, '.')).toMatch(/needs a\.b\.C, which is/);
  expect(refusal('ctorch._utils\n_rebuild_tensor_v2\n(', object, 'tRcd\nE\n', 0x86, '.')).toMatch(
    /needs a\.b\.C, d\.E, which are/,
  );
  expect(refusal(object, '0\xff')).toMatch(/needs a\.b\.C, which is/);
  expect(refusal(`c${'m'.repeat(900)}\nna\x07me\n.`)).toMatch(/needs "m{120}", which/);
  expect(refusal('(', ...Array.from({ length: 30 }, (_, i) => `cm\nf${i}\n`), 't.')).toMatch(/m\.f19 and 10 more, which are/);
});

test.each<[string, (string | number | Uint8Array)[], RegExp]>([
  ['an empty file', [], /found an empty file$/],
  ['no end', ['N'], /^f\.pkl: damaged pickle at byte 1: needs 1 bytes at 1, found 0 \(truncated file\?\)$/],
  ['two values at the end', ['NN.'], /expected one value at its end/],
  ['an open mark', ['N(.'], /expected one value at its end/],
  ['something after the end', ['N.N'], /expected the pickle to end at byte 2, found 3 bytes/],
  ['an unknown opcode', ['\xff.'], /damaged pickle at byte 0: unknown opcode 0xff/],
  ['a protocol of the future', [0x80, 6, 'N.'], /protocol 5 or older, found 6/],
  ['bytes that are not there', [0x8e, little(2n ** 40n, 8), 'abc.'], /needs 1099511627776 bytes at 9, found 4/],
  ['more bytes than a number can count', ['\x96', little(2n ** 64n - 1n, 8), '.'], /needs 18446744073709552000 bytes/],
  ['text that is not there', ['X', little(2 ** 32 - 1, 4), 'abc.'], /needs 4294967295 bytes at 5/],
  ['text that is no UTF-8', ['X', little(2, 4), '\xc3\x28.'], /expected UTF-8 text/],
  ['an integer that is not there', [0x8b, little(1000, 4), '\x01.'], /needs 1000 bytes/],
  ['an integer beyond all measure', [0x8b, little(2 ** 21, 4), '.'], /an integer of at most 1048576 bytes, found one of 2097152/],
  ['too many digits', [`L${'9'.repeat(5000)}\n.`], /a line of at most 4302 bytes, found 5000/],
  ['an integer that is none', ['I1x\n.'], /expected an integer, found "1x"/],
  ['a float that is none', ['F1.5.1\n.'], /expected a number, found "1\.5\.1"/],
  ['a string without quotes', ['Sabc\n.'], /expected a quoted string/],
  ['an impossible character', ['V\\Uffffffff\n.'], /no character has the code ffffffff/],
  ['a line without an end', ['I1'], /a line without an end/],
  ['a frame longer than the file', [0x95, little(100, 8), 'N.'], /a frame of 100 bytes, found 2/],
  ['a memo entry that does not exist', ['h\x05.'], /refers to memo entry 5, which does not exist/],
  ['a negative memo entry', ['Np-1\n.'], /impossible memo index -1/],
  ['an empty stack', ['0.'], /takes a value from an empty stack/],
  ['a missing mark', ['Nt.'], /needs a mark, but there is none/],
  ['a key without a value', ['}(Nu.'], /a dictionary with a key but no value/],
  ['a list as a key', ['}]Ns.'], /a list or tuple cannot be a key/],
  ['a dictionary in a set', [0x8f, '(}', 0x90, '.'], /a dictionary cannot be a key/],
  ['adding to a tuple', [')Na.'], /expected a list to append to, found a list or tuple/],
  ['adding to a frozen set', ['(', 0x91, '(N', 0x90, '.'], /expected a set to add to, found a set/],
  ['adding to a number', ['K\x01NNs.'], /expected a dictionary to add to, found a number/],
  ['calling a value', ['K\x01)R.'], /expected a class or function to call, found a number/],
  ['calling what may only be mentioned', ['ctorch\nTensor\n)R.'], /torch\.Tensor may be mentioned, but not called/],
  ['arguments that are no tuple', ['ccollections\nOrderedDict\nNR.'], /expected a tuple of arguments, found None/],
  ['arguments by keyword', ['ccollections\nOrderedDict\n)}(', text('a'), 'Nu', 0x92, '.'], /arguments by keyword/],
  ['attributes of a list', [']}b.'], /a list or tuple takes no attributes/],
  ['a persistent id', ['P1\n.'], /a persistent id in a file that has nothing/],
  ['a name that is no text', ['NN', 0x93, '.'], /expected the name of a module and of a global/],
  ['INST', ['(ios\nsystem\n.'], /the opcode INST is not supported/],
  ['OBJ', ['(o.'], /the opcode OBJ is not supported/],
  ['EXT1', [0x82, 1, '.'], /the opcode EXT1 is not supported/],
  ['EXT4', [0x84, 1, 0, 0, 0, '.'], /the opcode EXT4 is not supported/],
  ['buffers from elsewhere', [0x97, '.'], /the opcode NEXT_BUFFER is not supported/],
  ['a list that holds itself', [']q\x00h\x00a.'], /a list or dictionary of the pickle holds itself/],
  ['a dictionary that holds itself', ['}q\x00Nh\x00s.'], /holds itself/],
  ['a tuple that holds itself', [']q\x00h\x00', 0x85, 'a.'], /holds itself/],
  ['an array without its state', ['cnumpy.core.multiarray\n_reconstruct\n)R.'], /an object that is not complete/],
])('refuses %s', (_, parts, message) => {
  expect(refusal(...parts)).toMatch(message);
});

test('a thousand levels are read, one more is not', () => {
  const nested = (levels: number) => [']'.repeat(levels), 'a'.repeat(levels - 1), '.'];
  let depth = 0;
  for (let value = read(...nested(1000)); Array.isArray(value); value = value[0]) depth++;
  expect(depth).toBe(1000);
  expect(refusal(...nested(1001))).toBe('f.pkl: the pickle is nested deeper than 1000 levels');
  expect(refusal(...nested(50_000))).toBe('f.pkl: the pickle is nested deeper than 1000 levels');
  // The same depth by way of the memo, where no part is deep when it is first seen.
  const chained = [']q\x00', ...Array.from({ length: 1000 }, () => '0]h\x00aq\x00'), '.'];
  expect(refusal(...chained)).toMatch(/nested deeper than 1000 levels/);
  expect(refusal('('.repeat(20_000), '.')).toMatch(/nested deeper than 10000 marks/);
});

test('shared parts are read once, but not if the whole would be huge', () => {
  const doubled = (levels: number) => [')', ...Array.from({ length: levels }, () => pickle('2', 0x86)), '.'];
  const tree = read(...doubled(15)) as unknown[];
  expect(tree[0]).toBe(tree[1]);
  expect(refusal(...doubled(40))).toBe('f.pkl: a few parts of the pickle, used again and again, make up a huge whole');
  // A long text used often is as much work as many values.
  const long = pickle('X', little(100_000, 4), 'x'.repeat(100_000), '2'.repeat(100_000));
  expect(refusal('(', long, 't.')).toMatch(/make up a huge whole/);
});

test('constructors are given no more work than the file is long', () => {
  const pairs = pickle('(', ...Array.from({ length: 1000 }, (_, i) => pickle(integer(i), 'N', 0x86)), 'lq\x00');
  const copies = Array.from({ length: 2000 }, () => 'ccollections\nOrderedDict\n(h\x00tR0').join('');
  expect(refusal(pairs, copies, '.')).toMatch(/asks for more copies of its data than any honest file does/);
  expect(refusal('(', '}'.repeat(1_100_000), 't.')).toMatch(/lists, tuples, dictionaries and sets/);
});
