import { DataError } from '../data/formats/dataError.ts';
import { fold, type Key, permutation } from '../engine/random.ts';
import { type FewshotPart, fewshotParts } from '../video/fewshotLists.ts';
import { checkDisjoint, type EpisodeClass } from './episodes.ts';

/** Classes of each part: names, or how many to draw of those that no part names. */
export type WantedClasses = Readonly<Record<FewshotPart, number | readonly string[]>>;

/**
 * Divides a data set by its classes. Drawn classes follow from the key, and keep the order of the data set; those that no part wants are left out.
 * @param where the data, for messages
 * @throws DataError in one line: a name that is no class or is in two parts, or more classes to draw than are left
 */
export function splitByClass<T extends { readonly label: number }>(
  classes: readonly string[],
  items: readonly T[],
  wanted: WantedClasses,
  key: Key,
  where: string,
): Record<FewshotPart, EpisodeClass<T>[]> {
  const named = fewshotParts.map(part => ({ part, classes: namesOf(wanted[part]) }));
  for (const { part, classes: names } of named) {
    const strange = names.find(name => !classes.includes(name));
    if (strange !== undefined)
      throw new DataError(where, `data.classes.${part}: expected classes of the data set (${classes[0]}, …), found ${strange}`);
  }
  checkDisjoint(named, where);
  const taken = new Set(named.flatMap(({ classes: names }) => names));
  const free = classes.map((_, label) => label).filter(label => !taken.has(classes[label]));
  const counts = fewshotParts.map(part => (typeof wanted[part] === 'number' ? wanted[part] : 0));
  const total = counts.reduce((a, b) => a + b, 0);
  if (total > free.length)
    throw new DataError(
      where,
      `data.classes: ${counts.join(' + ')} classes to draw for ${fewshotParts.join(', ')}, found ${free.length}`,
    );
  const order = [...permutation(fold(key, 'classes'), free.length)].map(place => free[place]);
  const byClass = classes.map((name): { name: string; items: T[] } => ({ name, items: [] }));
  for (const item of items) byClass[item.label].items.push(item);
  let from = 0;
  const parts = named.map(({ part, classes: names }, i): [FewshotPart, EpisodeClass<T>[]] => {
    const drawn = new Set(order.slice(from, from + counts[i]));
    from += counts[i];
    return [part, byClass.filter(({ name }, label) => names.includes(name) || drawn.has(label))];
  });
  return Object.fromEntries(parts) as Record<FewshotPart, EpisodeClass<T>[]>;
}

function namesOf(wanted: number | readonly string[]): readonly string[] {
  return typeof wanted === 'number' ? [] : wanted;
}
