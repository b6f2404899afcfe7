/** How well clusters agree with classes, where these are known. Pure. */

/** Agreement of two partitions of the same items. */
export interface ClusterQuality {
  /** Share of items that are of the most frequent class of their cluster. Grows with the number of clusters: 1 if each item has its own. */
  readonly purity: number;
  /** Normalised mutual information: I / ((H(clusters) + H(classes)) / 2); 0 for independent partitions, 1 for equal ones. */
  readonly nmi: number;
  /** Adjusted Rand index: 0 in the mean of random partitions of these sizes, whatever the number of clusters, and 1 for equal ones. */
  readonly adjustedRand: number;
}

/**
 * Compares clusters to classes, item by item.
 * @throws RangeError if there are no items, or not as many of both
 */
export function clusterQuality(clusters: ArrayLike<number>, classes: ArrayLike<number>): ClusterQuality {
  const n = clusters.length;
  if (n === 0 || classes.length !== n)
    throw new RangeError(`clusterQuality: expected as many clusters as classes, at least 1, found ${n} and ${classes.length}`);
  const table = new Map<number, Map<number, number>>();
  const [rows, columns] = [new Map<number, number>(), new Map<number, number>()];
  for (let i = 0; i < n; i++) {
    const [row, column] = [clusters[i], classes[i]];
    const counts = table.get(row) ?? new Map<number, number>();
    table.set(row, counts);
    for (const [map, key] of [
      [counts, column],
      [rows, row],
      [columns, column],
    ] as const)
      map.set(key, (map.get(key) ?? 0) + 1);
  }
  const cells = [...table.values()].flatMap(counts => [...counts.values()]);
  const [clusterSizes, classSizes] = [[...rows.values()], [...columns.values()]];
  const entropies = entropy(clusterSizes, n) + entropy(classSizes, n);
  // With a single cluster and a single class nothing is left to agree on.
  const nmi = entropies === 0 ? 1 : (2 * Math.max(0, entropies - entropy(cells, n))) / entropies;
  return {
    purity: [...table.values()].reduce((sum, counts) => sum + Math.max(...counts.values()), 0) / n,
    nmi,
    adjustedRand: adjustedRand(cells, clusterSizes, classSizes, n),
  };
}

function entropy(counts: readonly number[], n: number): number {
  return -counts.reduce((sum, count) => sum + (count / n) * Math.log(count / n), 0);
}

/** L. Hubert, P. Arabie, 1985. */
function adjustedRand(cells: readonly number[], a: readonly number[], b: readonly number[], n: number): number {
  const pairs = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + (count * (count - 1)) / 2, 0);
  const [together, ofA, ofB, all] = [pairs(cells), pairs(a), pairs(b), pairs([n])];
  const expected = all === 0 ? 0 : (ofA * ofB) / all;
  const most = (ofA + ofB) / 2;
  return most === expected ? 1 : (together - expected) / (most - expected);
}
