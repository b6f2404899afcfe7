/**
 * Episodes of few-shot learning: a few classes, some clips of each to learn from (the support), and others to be named (the queries). Pure; items may be
 * anything. Within an episode, a class is called by its episode label, 0 to way - 1.
 */
import { DataError } from '../data/formats/dataError.ts';
import { choiceWithoutReplacement, fold, type Key } from '../engine/random.ts';

/** The form of an episode. */
export interface EpisodeOptions {
  /** N: classes. */
  readonly way: number;
  /** K: supports of each. */
  readonly shot: number;
  /** Queries of each. */
  readonly queries: number;
  /** Clips without labels, for semi-supervised heads. Default: none. */
  readonly unlabelled?: {
    /** Of each of the episode's classes. */
    readonly perClass: number;
    /** Other classes with as many clips each. Default 0. */
    readonly distractors?: number;
  };
}

/** One episode. */
export interface Episode<T> {
  /** Places of its classes among all, by episode label. */
  readonly classes: readonly number[];
  readonly support: readonly T[];
  /** Episode labels. */
  readonly supportLabels: readonly number[];
  readonly query: readonly T[];
  readonly queryLabels: readonly number[];
  /** Clips whose labels are hidden, class by class, those of distractors last. */
  readonly unlabelled: readonly T[];
}

/** A class and what there is of it. */
export interface EpisodeClass<T> {
  readonly name: string;
  readonly items: readonly T[];
}

/**
 * Draws an episode: `way` classes, and of each different items for support, queries and the unlabelled set, all uniformly. Supports and queries come
 * class by class. Everything follows from the key.
 * @param classes items of each class
 * @throws RangeError where {@link checkEpisodes} would say so
 */
export function sampleEpisode<T>(classes: readonly (readonly T[])[], options: EpisodeOptions, key: Key): Episode<T> {
  const { way, shot, queries, unlabelled } = options;
  const hidden = unlabelled?.perClass ?? 0;
  const others = hidden > 0 ? (unlabelled?.distractors ?? 0) : 0;
  const drawn = [...choiceWithoutReplacement(fold(key, 'classes'), classes.length, way + others)];
  const clips = drawn.map((label, i) => {
    const wanted = i < way ? shot + queries + hidden : hidden;
    return [...choiceWithoutReplacement(fold(fold(key, 'clips'), i), classes[label].length, wanted)].map(
      at => classes[label][at],
    );
  });
  const own = clips.slice(0, way);
  const labels = (each: number): number[] => own.flatMap((_, label) => Array.from({ length: each }, () => label));
  return {
    classes: drawn.slice(0, way),
    support: own.flatMap(items => items.slice(0, shot)),
    supportLabels: labels(shot),
    query: own.flatMap(items => items.slice(shot, shot + queries)),
    queryLabels: labels(queries),
    unlabelled: [...own.flatMap(items => items.slice(shot + queries)), ...clips.slice(way).flat()],
  };
}

/** Episode number `index` of a list that a key stands for: the same whichever others are drawn. */
export function episodeAt<T>(classes: readonly (readonly T[])[], options: EpisodeOptions, key: Key, index: number): Episode<T> {
  return sampleEpisode(classes, options, fold(key, index));
}

/**
 * Whether episodes of this form can be drawn.
 * @param where the data, for messages
 * @throws DataError in one line: fewer classes than needed, or the class with the fewest items if that are too few
 */
export function checkEpisodes<T>(classes: readonly EpisodeClass<T>[], options: EpisodeOptions, where: string): void {
  const { way, shot, queries, unlabelled } = options;
  const hidden = unlabelled?.perClass ?? 0;
  const distractors = hidden > 0 ? (unlabelled?.distractors ?? 0) : 0;
  if (classes.length < way + distractors) {
    const needed = distractors > 0 ? `${way + distractors} (${distractors} of them distractors)` : `${way}`;
    throw new DataError(where, `${way}-way episodes need ${needed} classes, found ${classes.length}`);
  }
  const each = shot + queries + hidden;
  const least = classes.reduce((a, b) => (b.items.length < a.items.length ? b : a));
  if (least.items.length >= each) return;
  const short = classes.filter(({ items }) => items.length < each).length;
  const parts = `${shot} shot + ${queries} ${queries === 1 ? 'query' : 'queries'}${hidden > 0 ? ` + ${hidden} unlabelled` : ''}`;
  const others = short > 1 ? ` (and ${short - 1} more ${short === 2 ? 'class' : 'classes'} too few)` : '';
  throw new DataError(
    where,
    `class ${JSON.stringify(least.name)}: an episode needs ${each} clips (${parts}), found ${least.items.length}${others}`,
  );
}

/** Classes of one part of a data set. */
export interface NamedPart {
  /** What it is called: `train`, `val` or `test`. */
  readonly part: string;
  readonly classes: readonly string[];
}

/**
 * Few-shot learning is judged on classes that were never seen.
 * @throws DataError naming the first class that is in two parts, and how many are
 */
export function checkDisjoint(parts: readonly NamedPart[], where: string): void {
  const owners = new Map<string, string>();
  const shared: { readonly name: string; readonly parts: readonly [string, string] }[] = [];
  for (const { part, classes } of parts) {
    for (const name of classes) {
      const owner = owners.get(name);
      if (owner !== undefined && owner !== part) shared.push({ name, parts: [owner, part] });
      owners.set(name, part);
    }
  }
  if (shared.length === 0) return;
  const [{ name, parts: both }] = shared;
  const more = shared.length > 1 ? `, and so are ${shared.length - 1} more` : '';
  throw new DataError(
    where,
    `class ${JSON.stringify(name)} is in both ${both[0]} and ${both[1]}${more}; few-shot classes belong to one part`,
  );
}

/** An episode with supports and queries class by class, each class's in their order. */
export function sortedEpisode<T>(episode: Episode<T>): Episode<T> {
  const { support, supportLabels, query, queryLabels } = episode;
  const byLabel = (items: readonly T[], labels: readonly number[]) => {
    const order = labels.map((_, i) => i).sort((a, b) => labels[a] - labels[b] || a - b);
    return [order.map(i => items[i]), order.map(i => labels[i])] as const;
  };
  const [sortedSupport, sortedSupportLabels] = byLabel(support, supportLabels);
  const [sortedQuery, sortedQueryLabels] = byLabel(query, queryLabels);
  return {
    ...episode,
    support: sortedSupport,
    supportLabels: sortedSupportLabels,
    query: sortedQuery,
    queryLabels: sortedQueryLabels,
  };
}
