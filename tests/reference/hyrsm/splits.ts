/** Split lists and the episodes that the published code draws from them. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ndarray } from '../../../src/engine/ndarray.ts';
import type { Episode } from '../../../src/fewshot/episodes.ts';
import { publishedEpisode } from '../../../src/fewshot/publishedEpisodes.ts';
import { pythonRandom } from '../../../src/fewshot/pythonRandom.ts';
import { type FewshotPart, type FewshotVideo, fewshotClassNames, parseFewshotList } from '../../../src/video/fewshotLists.ts';
import { type Adapter, type Compared, compareArray, compareStructure, type ReferenceCase } from '../case.ts';
import { adapterOf, numberOf } from './inputs.ts';

async function listOf(c: ReferenceCase, dataset: string, part: FewshotPart): Promise<{ bytes: Buffer; videos: FewshotVideo[] }> {
  const path = join(c.dataDir, 'fewshot-splits', dataset, `${part}_few_shot.txt`);
  const bytes = await readFile(path);
  return { bytes, videos: parseFewshotList(bytes.toString('utf8'), part, path) };
}

const countsOf = (videos: readonly FewshotVideo[]): number[] => {
  const counts: number[] = [];
  for (const { label } of videos) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
};

interface Summary {
  readonly class_names: readonly string[] | null;
  readonly first_five: readonly (readonly [number, string])[];
  readonly [key: string]: unknown;
}

const summaries = adapterOf('splits', async c => {
  const compared: Compared[] = [];
  for (const [dataset, parts] of Object.entries(c.json as Record<string, Record<FewshotPart, Summary | null>>)) {
    for (const [part, want] of Object.entries(parts) as [FewshotPart, Summary | null][]) {
      if (want === null) continue;
      const { bytes, videos } = await listOf(c, dataset, part);
      const counts = countsOf(videos);
      const names = fewshotClassNames(videos, part);
      const got = {
        n_classes: counts.length,
        n_videos: videos.length,
        class_ids: [0, counts.length - 1],
        min_per_class: Math.min(...counts),
        max_per_class: Math.max(...counts),
        per_class_count: counts,
        // Where paths show no names, classes are called by part and number here.
        class_names: names[0] === `${part}0` ? null : names,
        first_five: videos.slice(0, 5).map(({ label, path }) => [label, dataset.startsWith('ssv2') ? path.replace(/\.mp4$/, '') : path]),
        sha256: createHash('sha256').update(bytes).digest('hex'),
        bytes: bytes.length,
      };
      compared.push(compareStructure(`json.${dataset}.${part}`, got, want));
    }
  }
  return compared;
});

/** Rows of a fixture: class, place within the class, place within the list, whether the transform of queries is used. */
interface Clip {
  readonly label: number;
  readonly place: number;
  readonly line: number;
}

const episodes = adapterOf('episodes', async c => {
  const { dataset, split } = c.hyperparameters as { dataset: string; split: FewshotPart };
  const { videos } = await listOf(c, dataset, split);
  const classes: Clip[][] = [];
  for (const [line, { label }] of videos.entries()) {
    classes[label] ??= [];
    classes[label].push({ label, place: classes[label].length, line });
  }
  const options = { way: numberOf(c, 'way'), shot: numberOf(c, 'shot'), queries: numberOf(c, 'query_per_class') };
  const random = pythonRandom(numberOf(c, 'seed'));
  const drawn = Array.from({ length: numberOf(c, 'n_episodes') }, () => publishedEpisode(classes, options, random));
  const compare = (key: string, row: (episode: Episode<Clip>) => readonly number[]): Compared => {
    const { shape } = c.arrays[key];
    return compareArray(c, key, ndarray('int32', shape, Int32Array.from(drawn.flatMap(row))));
  };
  const rows = (clips: readonly Clip[], query: 0 | 1) => clips.flatMap(({ label, place, line }) => [label, place, line, query]);
  return [
    compare('out.support_set', ({ support }) => rows(support, 0)),
    compare('out.target_set', ({ query }) => rows(query, split === 'train' ? 1 : 0)),
    compare('out.support_labels', ({ supportLabels }) => supportLabels),
    compare('out.target_labels', ({ queryLabels }) => queryLabels),
    compare('out.real_support_labels', ({ support }) => support.map(({ label }) => label)),
    compare('out.real_target_labels', ({ query }) => query.map(({ label }) => label)),
    compare('out.batch_class_list', ({ classes: list }) => list),
  ];
});

/** Adapters of splits and episodes. */
export const adapters: Adapter[] = [summaries, episodes];
