/** Which classes of a data set train, validate and test: no class is in two parts. Pure. */
import { DataError } from '../data/formats/dataError.ts';
import { fold, type Key, permutation } from '../engine/random.ts';
import { checkDisjoint, type EpisodeClass } from './episodes.ts';

/** The parts of a data set. */
export const fewshotParts = ['train', 'val', 'test'] as const;
export type FewshotPart = (typeof fewshotParts)[number];

/** The classes of each part, each with its items. */
export type ClassParts<T> = Readonly<Record<FewshotPart, readonly EpisodeClass<T>[]>>;

/** What a part is made of: names, or how many classes to draw. */
export type PartClasses = number | readonly string[];

/** Something of a class, which a data set may have put into a part. */
export interface PartItem {
  /** Place of its class. */
  readonly label: number;
  readonly subset?: string;
}

/** What data sets call the parts. */
const partNames: Readonly<Record<string, FewshotPart>> = {
  train: 'train',
  training: 'train',
  val: 'val',
  validation: 'val',
  test: 'test',
  testing: 'test',
};

/**
 * Divides the classes. Named classes come in the order of their names; drawn ones, from those that nobody names, in the order of the data set.
 * Draws follow from the key, and naming some of the drawn classes of the first parts leaves the other parts as they are.
 * @param wanted null: every item says itself which part it is in
 * @param where the data, for messages
 * @throws DataError in one line: a name that is no class, more classes than there are, a class in two parts, an item that does not say its part
 */
export function classParts<T extends PartItem>(
  classes: readonly string[],
  items: readonly T[],
  wanted: Readonly<Record<FewshotPart, PartClasses>> | null,
  key: Key,
  where: string,
): ClassParts<T> {
  const names = wanted ? divided(classes, wanted, key, where) : stated(classes, items, where);
  checkDisjoint(
    fewshotParts.map(part => ({ part, classes: names[part] })),
    where,
  );
  const labels = new Map(classes.map((name, label) => [name, label]));
  const members = classes.map((): T[] => []);
  for (const item of items) members[item.label].push(item);
  const part = (own: readonly string[]) => own.map(name => ({ name, items: members[labels.get(name) as number] }));
  return { train: part(names.train), val: part(names.val), test: part(names.test) };
}

type Names = Record<FewshotPart, readonly string[]>;

function divided(classes: readonly string[], wanted: Readonly<Record<FewshotPart, PartClasses>>, key: Key, where: string): Names {
  const known = new Set(classes);
  const named = new Set<string>();
  for (const part of fewshotParts) {
    const own = wanted[part];
    if (typeof own === 'number') continue;
    const strange = own.find(name => !known.has(name));
    if (strange !== undefined)
      throw new DataError(where, `data.classes.${part}: expected classes of the data set (${classes[0]}, …), found ${strange}`);
    for (const name of own) named.add(name);
  }
  const order = [...permutation(fold(key, 'parts'), classes.length)].filter(label => !named.has(classes[label]));
  let from = 0;
  const names = (part: FewshotPart): readonly string[] => {
    const own = wanted[part];
    if (typeof own !== 'number') return own;
    from += own;
    return order
      .slice(from - own, from)
      .sort((a, b) => a - b)
      .map(label => classes[label]);
  };
  const drawn = { train: names('train'), val: names('val'), test: names('test') };
  if (from > order.length)
    throw new DataError(where, `data.classes: ${from} classes to draw, found ${order.length} that no part names`);
  return drawn;
}

function stated(classes: readonly string[], items: readonly PartItem[], where: string): Names {
  const found: Record<FewshotPart, Set<string>> = { train: new Set(), val: new Set(), test: new Set() };
  for (const { label, subset } of items) {
    const part = subset === undefined ? undefined : partNames[subset.toLowerCase()];
    if (part === undefined)
      throw new DataError(
        where,
        `data.classes is null, but a clip of ${JSON.stringify(classes[label])} is in no part (${subset === undefined ? 'no subset' : `subset ${subset}`}); expected train, val or test, or data.classes`,
      );
    found[part].add(classes[label]);
  }
  const ordered = (part: FewshotPart) => classes.filter(name => found[part].has(name));
  return { train: ordered('train'), val: ordered('val'), test: ordered('test') };
}
