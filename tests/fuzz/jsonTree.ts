/** JSON made and changed as a tree, so that the syntax stays right. */
import fc from 'fast-check';
import type { Random } from './random.ts';

/** Texts of JSON that are no good value of most keys. */
const strange = [
  'null',
  'true',
  '0',
  '-1',
  '-0',
  '0.5',
  '1e400',
  '1e-400',
  '9007199254740993',
  '18446744073709551616',
  '""',
  '"\\ud800"',
  '"\\u0000\\u001b[2J\\n"',
  '"__proto__"',
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '[9007199254740991,9007199254740991,0]',
  '[-1]',
  '[1,0]',
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
] as const;

const keys = ['__proto__', 'constructor', 'toString', 'length', '', '\ud800', 'a\nb', 'polluted'];

/** A value as JSON text, with one change somewhere in it; a key may then be there twice. */
export function changedJson(value: unknown, random: Random): string {
  if (random.once(4)) return random.once(2) ? random.pick(strange) : nestedText(random);
  if (Array.isArray(value) && value.length > 0) {
    const chosen = random.int(value.length);
    const parts = value.map((each, i) => (i === chosen ? changedJson(each, random) : JSON.stringify(each)));
    if (random.once(6)) parts.splice(random.int(parts.length), 1);
    if (random.once(6)) parts.push(random.pick(parts.length > 0 ? parts : ['0']));
    return `[${parts.join(',')}]`;
  }
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    const entries = Object.entries(value);
    const chosen = random.int(entries.length);
    const parts = entries.map(([key, each], i): [string, string] => {
      const name = i === chosen && random.once(6) ? random.pick([...keys, key.toUpperCase()]) : key;
      return [JSON.stringify(name), i === chosen ? changedJson(each, random) : JSON.stringify(each)];
    });
    if (random.once(6)) parts.splice(random.int(parts.length), 1);
    if (random.once(6) && parts.length > 0) parts.push(random.pick(parts));
    if (random.once(6)) parts.push([JSON.stringify(random.pick(keys)), random.pick(strange)]);
    return `{${parts.map(part => part.join(':')).join(',')}}`;
  }
  return random.pick(strange);
}

/** Lists and mappings within each other. */
function nestedText(random: Random): string {
  const depth = 1 + random.int(random.once(8) ? 5000 : 20);
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ]);
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

/** Any JSON value. */
export const anyJson = fc.jsonValue({ maxDepth: 3 });

/** A key of an object that stands there twice; undefined if none does. By the text's tokens alone, which must be valid JSON. */
export function keyTwice(text: string): string | undefined {
  const levels: (Set<string> | undefined)[] = [];
  let last: string | undefined;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}:]/g)) {
    if (token === '{') levels.push(new Set());
    else if (token === '[') levels.push(undefined);
    else if (token === '}' || token === ']') levels.pop();
    else if (token === ':') {
      const key = JSON.parse(last!) as string;
      const known = levels[levels.length - 1]!;
      if (known.has(key)) return key;
      known.add(key);
    } else last = token;
  }
  return undefined;
}
