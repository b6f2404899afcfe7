import { fold, type Key, permutation } from '../engine/random.ts';

/** Something of a class. */
interface Labelled {
  readonly label: number;
  /** Where the data set itself says so. */
  readonly part?: 'train' | 'test';
}

/** A data set divided for open-set recognition; labels are places among `known`, or among `unknown`. */
export interface OpenSetSplit<T> {
  readonly known: readonly string[];
  readonly unknown: readonly string[];
  readonly train: readonly T[];
  readonly test: readonly T[];
  /** Of classes that training never sees. */
  readonly unknownTest: readonly T[];
}

export interface ClassSplitOptions {
  /** Names of the known classes in the order of the outputs, or how many to draw; null: all. */
  readonly known: readonly string[] | number | null;
  /** Share of each known class's samples that tests; at least one trains and one tests. */
  readonly testShare: number;
}

/**
 * Divides labelled samples: classes into known and unknown ones, samples of the known classes into training and test, class by class; samples of
 * the unknown classes all test. Where samples have a part of their own, that is it, and training samples of unknown classes are left out.
 * Random draws follow from the key; drawn classes keep their order.
 * @throws Error in one line for an unknown name, more classes than there are, or a known class with fewer than two samples
 */
export function openSetSplit<T extends Labelled>(
  classes: readonly string[],
  items: readonly T[],
  { known: wanted, testShare }: ClassSplitOptions,
  key: Key,
): OpenSetSplit<T> {
  const known = knownClasses(classes, wanted, fold(key, 'classes'));
  const unknown = classes.filter(name => !known.includes(name));
  const [train, test]: [T[], T[]] = [[], []];
  for (const [label, name] of known.entries()) {
    const own = items.filter(item => classes[item.label] === name);
    if (own.some(({ part }) => part !== undefined)) {
      for (const item of own) (item.part === 'test' ? test : train).push({ ...item, label });
      continue;
    }
    if (own.length < 2) throw new Error(`class ${JSON.stringify(name)}: expected at least 2 samples, found ${own.length}`);
    const tested = Math.min(own.length - 1, Math.max(1, Math.round(testShare * own.length)));
    // By the class's name, so that its division does not depend on which others are known.
    const order = permutation(fold(fold(key, 'samples'), name), own.length);
    const isTested = new Set(order.slice(0, tested));
    for (const [i, item] of own.entries()) (isTested.has(i) ? test : train).push({ ...item, label });
  }
  const unknownTest = items.flatMap(item => {
    const label = unknown.indexOf(classes[item.label]);
    return label < 0 || item.part === 'train' ? [] : [{ ...item, label }];
  });
  return { known, unknown, train, test, unknownTest };
}

function knownClasses(classes: readonly string[], wanted: ClassSplitOptions['known'], key: Key): readonly string[] {
  if (wanted === null) return classes;
  if (typeof wanted !== 'number') {
    const strange = wanted.find(name => !classes.includes(name));
    if (strange !== undefined)
      throw new Error(`data.known: expected classes of the data set (${classes[0]}, …), found ${strange}`);
    return wanted;
  }
  if (wanted > classes.length) throw new Error(`data.known: expected at most ${classes.length} classes, found ${wanted}`);
  const drawn = new Set(permutation(key, classes.length).slice(0, wanted));
  return classes.filter((_, i) => drawn.has(i));
}
