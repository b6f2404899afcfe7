import type { PickleMachine } from './pickle.ts';

type Operation = (machine: PickleMachine) => void;

/** Highest protocol there is. */
const maxProtocol = 5;

const refused =
  (name: string): Operation =>
  machine => {
    throw machine.error(`the opcode ${name} is not supported: no checkpoint needs it`);
  };

/** Opcodes that are written as letters, then those of protocol 2 and up, by their numbers. */
const byCode: readonly (readonly [string | number, Operation])[] = [
  ['N', m => m.push(null)],
  ['I', m => m.push(m.reader.intOrBoolLine())],
  ['L', m => m.push(m.reader.integerLine())],
  ['J', m => m.push(m.reader.int32())],
  ['K', m => m.push(m.reader.uint8())],
  ['M', m => m.push(m.reader.uint16())],
  ['F', m => m.push(m.reader.floatLine())],
  ['G', m => m.push(m.reader.float64())],
  ['S', m => m.push(m.reader.quotedLine())],
  ['T', m => m.push(m.reader.latin1(m.reader.uint32()))],
  ['U', m => m.push(m.reader.latin1(m.reader.uint8()))],
  ['V', m => m.push(m.reader.unicodeLine())],
  ['X', m => m.push(m.reader.utf8(m.reader.uint32()))],
  ['B', m => m.push(m.reader.raw(m.reader.uint32()))],
  ['C', m => m.push(m.reader.raw(m.reader.uint8()))],

  ['(', m => m.mark()],
  // POP also takes a mark away, if nothing is above it.
  ['0', m => (m.atMark() ? m.popMark() : m.pop())],
  ['1', m => m.popMark()],
  ['2', m => m.push(m.top())],
  ['p', m => m.put(m.reader.integerLine())],
  ['q', m => m.put(m.reader.uint8())],
  ['r', m => m.put(m.reader.uint32())],
  ['g', m => m.get(m.reader.integerLine())],
  ['h', m => m.get(m.reader.uint8())],
  ['j', m => m.get(m.reader.uint32())],

  [')', m => m.tuple([])],
  ['t', m => m.tuple(m.popMark())],
  [']', m => m.list([])],
  ['l', m => m.list(m.popMark())],
  ['}', m => m.dict([])],
  ['d', m => m.dict(m.popMark())],
  ['a', m => m.append([m.pop()])],
  ['e', m => m.append(m.popMark())],
  ['s', m => m.setItems([m.pop(), m.pop()].reverse())],
  ['u', m => m.setItems(m.popMark())],

  ['c', m => m.global(m.reader.nameLine(), m.reader.nameLine())],
  ['P', m => m.persistent(m.reader.nameLine())],
  ['Q', m => m.persistent(m.pop())],
  ['R', m => m.reduce(m.pop())],
  ['b', m => m.build()],
  ['i', refused('INST')],
  ['o', refused('OBJ')],

  [
    0x80,
    m => {
      const protocol = m.reader.uint8();
      if (protocol > maxProtocol) throw m.error(`expected a pickle of protocol ${maxProtocol} or older, found ${protocol}`);
    },
  ],
  [0x81, m => m.reduce(m.pop())],
  [0x82, refused('EXT1')],
  [0x83, refused('EXT2')],
  [0x84, refused('EXT4')],
  [0x85, m => m.tuple([m.pop()])],
  [0x86, m => m.tuple([m.pop(), m.pop()].reverse())],
  [0x87, m => m.tuple([m.pop(), m.pop(), m.pop()].reverse())],
  [0x88, m => m.push(true)],
  [0x89, m => m.push(false)],
  [0x8a, m => m.push(m.reader.long(m.reader.uint8()))],
  [0x8b, m => m.push(m.reader.long(m.reader.uint32()))],
  [0x8c, m => m.push(m.reader.utf8(m.reader.uint8()))],
  [0x8d, m => m.push(m.reader.utf8(m.reader.uint64()))],
  [0x8e, m => m.push(m.reader.raw(m.reader.uint64()))],
  [0x8f, m => m.set([], false)],
  [0x90, m => m.addToSet(m.popMark())],
  [0x91, m => m.set(m.popMark(), true)],
  [
    0x92,
    m => {
      const keywords = m.pop();
      m.reduce(m.pop(), keywords);
    },
  ],
  [
    0x93,
    m => {
      const name = m.pop();
      m.global(m.pop(), name);
    },
  ],
  [0x94, m => m.memoize()],
  // A frame says how many bytes belong together, for reading from streams. It is no part of the values.
  [
    0x95,
    m => {
      const length = m.reader.uint64();
      const left = m.reader.bytes.length - m.reader.at;
      if (length > left) throw m.error(`a frame of ${length} bytes, found ${left} (truncated file?)`);
    },
  ],
  [0x96, m => m.push(m.reader.raw(m.reader.uint64()))],
  [0x97, refused('NEXT_BUFFER')],
  [0x98, refused('READONLY_BUFFER')],
];

/** What each opcode does; STOP, which is not among them, ends the program. */
export const operations: readonly (Operation | undefined)[] = (() => {
  const table: (Operation | undefined)[] = new Array(256).fill(undefined);
  for (const [code, operation] of byCode) table[typeof code === 'string' ? code.charCodeAt(0) : code] = operation;
  return table;
})();
