import { DataError, messageOf } from './dataError.ts';

/** Deeper nesting is refused, so that whoever walks or prints the result may do so recursively. */
const maxDepth = 100;

/**
 * Parses JSON, from its text or from UTF-8 (a byte-order mark is dropped).
 *
 * Two things that `JSON.parse` lets pass are refused: a key that stands twice in an object, of which one value would be lost in
 * silence, and nesting beyond 100 levels.
 * @param where the file's name, for messages
 * @throws DataError naming the file if it is no JSON, or one of these
 */
export function parseJson(source: string | Uint8Array, where: string): unknown {
  const text = typeof source === 'string' ? source.replace(/^\uFEFF/, '') : decodeText(source, where);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw new DataError(where, `expected JSON (${messageOf(thrown)})`, { cause: thrown });
  }
  checkObjects(text, where);
  return value;
}

/** UTF-8 as text, without its byte-order mark. @throws DataError if it is not UTF-8 */
export function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw new DataError(where, 'expected UTF-8 text', { cause: thrown });
  }
}

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Passes over valid JSON once: the keys of each object, and how deep it goes. */
function checkObjects(text: string, where: string): void {
  /** Keys of the objects around the place, innermost last; none for lists. */
  const around: (Set<string> | undefined)[] = [];
  let [start, end] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      start = at++;
      for (; text.charCodeAt(at) !== quote; at++) if (text.charCodeAt(at) === backslash) at++;
      end = at + 1;
    } else if (code === colon) {
      // The text before a colon is a key.
      const written = text.slice(start, end);
      const key = written.includes('\\') ? (JSON.parse(written) as string) : written.slice(1, -1);
      const keys = around[around.length - 1]!;
      if (keys.has(key)) throw new DataError(where, `the key ${JSON.stringify(key)} is there twice in an object`);
      keys.add(key);
    } else if (code === openObject || code === openList) {
      around.push(code === openObject ? new Set() : undefined);
      if (around.length > maxDepth) throw new DataError(where, `expected JSON of at most ${maxDepth} levels, found more`);
    } else if (code === closeObject || code === closeList) around.pop();
  }
}
