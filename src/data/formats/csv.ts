import { DataError } from './dataError.ts';

/** A row of CSV. */
export interface CsvRow {
  readonly fields: string[];
  /** Line of the file (from 1) on which the row starts. */
  readonly line: number;
}

/**
 * Splits CSV into rows (RFC 4180: fields may be quoted, `"a, b"`, `""` for a quote); empty lines are skipped, a byte-order mark is dropped.
 * @param where the file's name, for messages
 * @throws DataError naming the file and line of a quote that is not closed, or inside an unquoted field
 */
export function parseCsv(text: string, where: string): CsvRow[] {
  const rows: CsvRow[] = [];
  const source = text.replace(/^\uFEFF/, '');
  let line = 1;
  let row: CsvRow = { fields: [], line };
  for (let at = 0; at < source.length || row.fields.length > 0; ) {
    const field = fieldAt(source, at);
    const separator = field && separatorAt(source, field.end);
    if (!field || separator === undefined)
      throw new DataError(`${where}, line ${line}`, 'a quote (") is not closed, or is inside an unquoted field');
    row.fields.push(field.value);
    const next = field.end + separator.length;
    if (field.quoted) line += source.slice(at, field.end).split(/\r\n|\r|\n/).length - 1;
    if (separator !== ',' && separator !== '') line++;
    at = next;
    if (separator === ',') continue;
    if (row.fields.length > 1 || row.fields[0].trim() !== '' || field.quoted) rows.push(row);
    row = { fields: [], line };
  }
  return rows;
}

/** What ends an unquoted field, or must not be in one. */
const special = /[",\r\n]/g;

/** The field that begins at `start`, and where it ends: a quoted one may hold commas, line breaks and doubled quotes. */
function fieldAt(source: string, start: number): { value: string; end: number; quoted: boolean } | undefined {
  const first = pastBlanks(source, start);
  if (source[first] !== '"') {
    special.lastIndex = start;
    const end = special.exec(source)?.index ?? source.length;
    return { value: source.slice(start, end), end, quoted: false };
  }
  let close = source.indexOf('"', first + 1);
  while (close >= 0 && source[close + 1] === '"') close = source.indexOf('"', close + 2);
  if (close < 0) return undefined;
  return { value: source.slice(first + 1, close).replaceAll('""', '"'), end: pastBlanks(source, close + 1), quoted: true };
}

function pastBlanks(source: string, start: number): number {
  let at = start;
  while (source[at] === ' ' || source[at] === '\t') at++;
  return at;
}

/** What ends a field at this place; empty at the end of the text, undefined if nothing does. */
function separatorAt(source: string, at: number): string | undefined {
  if (at === source.length) return '';
  const [character] = source[at];
  if (character === '\r') return source[at + 1] === '\n' ? '\r\n' : '\r';
  return character === ',' || character === '\n' ? character : undefined;
}
