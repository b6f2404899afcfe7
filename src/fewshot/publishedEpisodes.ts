import type { Episode, EpisodeOptions } from './episodes.ts';
import type { PythonRandom } from './pythonRandom.ts';

/**
 * The next episode that the published code of HyRSM++ draws: classes by `random.sample` from their ascending numbers, of each class its clips by another, then
 * `random.shuffle` of the supports and of the queries, whose order is kept. For replaying; our own are {@link import('./episodes.ts').sampleEpisode}'s.
 * @param classes items of each class, in the order of the list
 * @param random its state advances
 */
export function publishedEpisode<T>(
  classes: readonly (readonly T[])[],
  { way, shot, queries }: Pick<EpisodeOptions, 'way' | 'shot' | 'queries'>,
  random: PythonRandom,
): Episode<T> {
  const drawn = random.sample(
    classes.map((_, label) => label),
    way,
  );
  interface Clip {
    readonly item: T;
    readonly label: number;
  }
  const [support, query]: [Clip[], Clip[]] = [[], []];
  for (const [label, at] of drawn.entries()) {
    const places = random.sample(
      classes[at].map((_, i) => i),
      shot + queries,
    );
    const clips = places.map(place => ({ item: classes[at][place], label }));
    support.push(...clips.slice(0, shot));
    query.push(...clips.slice(shot));
  }
  random.shuffle(support);
  random.shuffle(query);
  return {
    classes: drawn,
    support: support.map(({ item }) => item),
    supportLabels: support.map(({ label }) => label),
    query: query.map(({ item }) => item),
    queryLabels: query.map(({ label }) => label),
    unlabelled: [],
  };
}
