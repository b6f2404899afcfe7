import type { Annotations, VideoAnnotation } from './annotations.ts';
import { DataError } from './formats/dataError.ts';

/**
 * Reads video-level labels from CSV: a header `video,label` (and, if wanted, `subset`; in any order), then one row per video and
 * label. Fields may be quoted (RFC 4180: `"a, b"`, `""` for a quote).
 * @param where the file's name, for messages
 * @throws DataError naming the file and line: a missing column, a row of another width, an empty field, a repeated row, a video in
 *   two subsets
 */
export function parseLabelsCsv(text: string, where: string): Annotations {
  const [header, ...rows] = csvRows(text, where);
  const names = header?.fields.map(field => field.trim()) ?? [];
  const column = (name: string): number => names.indexOf(name);
  if (column('video') < 0 || column('label') < 0) {
    throw new DataError(
      where,
      `expected the header "video,label" (and optionally "subset"), found ${JSON.stringify(names.join(','))}`,
    );
  }
  const found = new Map<string, { subset?: string; labels: Set<string> }>();
  for (const { fields, line } of rows) {
    const place = `${where}, line ${line}`;
    if (fields.length !== names.length) throw new DataError(place, `expected ${names.length} fields, found ${fields.length}`);
    const [video, label] = [fields[column('video')].trim(), fields[column('label')].trim()];
    if (!video || !label) throw new DataError(place, `expected a video and a label, found ${JSON.stringify(fields.join(','))}`);
    const subset = column('subset') < 0 ? undefined : fields[column('subset')].trim() || undefined;
    const known = found.get(video);
    if (!known) {
      found.set(video, { subset, labels: new Set([label]) });
      continue;
    }
    if (known.subset !== subset) {
      throw new DataError(
        place,
        `video ${JSON.stringify(video)} is in subset ${known.subset ?? '(none)'} above and ${subset ?? '(none)'} here`,
      );
    }
    if (known.labels.has(label))
      throw new DataError(place, `video ${JSON.stringify(video)} has the label ${JSON.stringify(label)} twice`);
    known.labels.add(label);
  }
  const videos = new Map<string, VideoAnnotation>();
  for (const [name, { subset, labels: own }] of found) {
    const labels = [...own];
    videos.set(name, { name, subset, labels, instances: labels.map(label => ({ label })) });
  }
  return { videos, pastDuration: [] };
}

interface Row {
  readonly fields: string[];
  /** Line of the file (from 1) on which the row starts. */
  readonly line: number;
}

/** Splits CSV into rows; empty lines are skipped. */
function csvRows(text: string, where: string): Row[] {
  const rows: Row[] = [];
  const source = text.replace(/^\uFEFF/, '');
  let line = 1;
  let row: Row = { fields: [], line };
  for (let at = 0; at < source.length || row.fields.length > 0; ) {
    const field = fieldAt(source, at);
    const separator = field && separatorAt(source, field.end);
    if (!field || separator === undefined)
      throw new DataError(`${where}, line ${line}`, 'a quote (") is not closed, or is inside an unquoted field');
    row.fields.push(field.value);
    const next = field.end + separator.length;
    line += source.slice(at, next).split(/\r\n|\r|\n/).length - 1;
    at = next;
    if (separator === ',') continue;
    if (row.fields.length > 1 || row.fields[0].trim() !== '' || field.quoted) rows.push(row);
    row = { fields: [], line };
  }
  return rows;
}

/** The field that begins at `start`, and where it ends: a quoted one may hold commas, line breaks and doubled quotes. */
function fieldAt(source: string, start: number): { value: string; end: number; quoted: boolean } | undefined {
  const first = pastBlanks(source, start);
  if (source[first] !== '"') {
    const special = /[",\r\n]/g;
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
