import type { Annotations, VideoAnnotation } from './annotations.ts';
import { parseCsv } from './formats/csv.ts';
import { DataError } from './formats/dataError.ts';

/**
 * Reads video-level labels from CSV: a header `video,label` (and, if wanted, `subset`; in any order), then one row per video and
 * label. Fields may be quoted (RFC 4180: `"a, b"`, `""` for a quote).
 * @param where the file's name, for messages
 * @throws DataError naming the file and line: a missing column, a row of another width, an empty field, a repeated row, a video in
 *   two subsets
 */
export function parseLabelsCsv(text: string, where: string): Annotations {
  const [header, ...rows] = parseCsv(text, where);
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
