/** Episodes as a file: drawn once, replayed by anyone. Pure: the file's content goes in and comes out. */
import { z } from 'zod';
import { DataError } from '../data/formats/dataError.ts';
import type { Episode, EpisodeClass } from './episodes.ts';

/** The form of {@link EpisodeList}, for readers to come. */
export const episodeListFormat = 'inkling-episodes-1';

const place = z.int().min(0);
const perClass = z.array(z.array(place)).min(1);

const listSchema = z.object({
  format: z.literal(episodeListFormat),
  seed: z.int().min(0).nullable(),
  classes: z.array(z.string().min(1)).min(1),
  items: z.array(z.string().min(1)).min(1),
  episodes: z
    .array(
      z.object({ classes: z.array(place).min(1), support: perClass, query: perClass, unlabelled: z.array(place).optional() }),
    )
    .min(1),
});

/**
 * Recorded episodes. Classes and items are named once; episodes hold their places. `support` and `query` are lists of items for each class of the
 * episode.
 */
export type EpisodeList = z.infer<typeof listSchema>;

/**
 * Records episodes. Only items that occur are named.
 * @param nameOf an item's name, the same wherever the list will be read, such as its file relative to the data folder
 * @param seed what the episodes were drawn from, for the record
 */
export function recordEpisodes<T>(
  episodes: readonly Episode<T>[],
  classes: readonly string[],
  nameOf: (item: T) => string,
  seed: number | null,
): EpisodeList {
  const places = new Map<string, number>();
  const placeOf = (item: T): number => {
    const name = nameOf(item);
    const known = places.get(name) ?? places.size;
    places.set(name, known);
    return known;
  };
  const grouped = (items: readonly T[], labels: readonly number[], way: number): number[][] => {
    const groups: number[][] = Array.from({ length: way }, () => []);
    for (const [i, item] of items.entries()) groups[labels[i]].push(placeOf(item));
    return groups;
  };
  const recorded = episodes.map(episode => ({
    classes: [...episode.classes],
    support: grouped(episode.support, episode.supportLabels, episode.classes.length),
    query: grouped(episode.query, episode.queryLabels, episode.classes.length),
    ...(episode.unlabelled.length > 0 && { unlabelled: episode.unlabelled.map(placeOf) }),
  }));
  return { format: episodeListFormat, seed, classes: [...classes], items: [...places.keys()], episodes: recorded };
}

/** A list as the text of its file, an episode a line. */
export function episodeListText({ episodes, ...rest }: EpisodeList): string {
  const head = JSON.stringify(rest).slice(0, -1);
  return `${head},"episodes":[\n${episodes.map(episode => JSON.stringify(episode)).join(',\n')}\n]}\n`;
}

/**
 * The content of a list's file.
 * @throws DataError naming the file and what is wrong in it: another format, a place beyond the names, an item that is there twice in an episode
 */
export function parseEpisodeList(json: unknown, where: string): EpisodeList {
  const parsed = listSchema.safeParse(json);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new DataError(where, `not a list of episodes (${path.map(String).join('.') || 'the file'}: ${message})`);
  }
  const list = parsed.data;
  const bad = (i: number, problem: string): DataError => new DataError(where, `episodes[${i}]: ${problem}`);
  for (const [i, { classes, support, query, unlabelled = [] }] of list.episodes.entries()) {
    for (const [what, groups] of [
      ['support', support],
      ['query', query],
    ] as const)
      if (groups.length !== classes.length) throw bad(i, `expected ${what} of ${classes.length} classes, found ${groups.length}`);
    const empty = support.findIndex(group => group.length === 0);
    if (empty >= 0) throw bad(i, `class ${list.classes[classes[empty]] ?? empty} has no support`);
    if (new Set(classes).size < classes.length) throw bad(i, 'a class is there twice');
    const strange = classes.find(at => at >= list.classes.length);
    if (strange !== undefined) throw bad(i, `class ${strange} of ${list.classes.length}`);
    const used = [...support.flat(), ...query.flat(), ...unlabelled];
    const beyond = used.find(at => at >= list.items.length);
    if (beyond !== undefined) throw bad(i, `item ${beyond} of ${list.items.length}`);
    const twice = used.find((at, k) => used.indexOf(at) < k);
    if (twice !== undefined) throw bad(i, `${list.items[twice]} is there twice`);
  }
  return list;
}

/**
 * The episodes of a list over a data set; supports and queries come class by class.
 * @param where the list's file, for messages
 * @throws DataError naming a class or item that the data set lacks, or an item of another class than the list says
 */
export function replayEpisodes<T>(
  list: EpisodeList,
  classes: readonly EpisodeClass<T>[],
  nameOf: (item: T) => string,
  where: string,
): Episode<T>[] {
  const owners = new Map<string, { readonly item: T; readonly label: number }>();
  for (const [label, { items }] of classes.entries()) for (const item of items) owners.set(nameOf(item), { item, label });
  const labels = new Map(classes.map(({ name }, i) => [name, i]));
  const labelOf = (name: string): number => {
    const label = labels.get(name);
    if (label === undefined) throw new DataError(where, `class ${JSON.stringify(name)} is not in the data set`);
    return label;
  };
  const found = list.items.map(name => {
    const owner = owners.get(name);
    if (!owner) throw new DataError(where, `${name} is not in the data set`);
    return owner;
  });
  return list.episodes.map(({ classes: own, support, query, unlabelled = [] }) => {
    const names = own.map(at => list.classes[at]);
    const flattened = (groups: readonly (readonly number[])[]) => ({
      items: groups.flatMap((group, label) =>
        group.map(at => {
          if (found[at].label !== labelOf(names[label]))
            throw new DataError(
              where,
              `${list.items[at]}: expected class ${names[label]}, found ${classes[found[at].label].name} in the data set`,
            );
          return found[at].item;
        }),
      ),
      labels: groups.flatMap((group, label) => group.map(() => label)),
    });
    const [supports, queries] = [flattened(support), flattened(query)];
    return {
      classes: names.map(labelOf),
      support: supports.items,
      supportLabels: supports.labels,
      query: queries.items,
      queryLabels: queries.labels,
      unlabelled: unlabelled.map(at => found[at].item),
    };
  });
}
