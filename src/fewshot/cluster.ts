/** Clusters of clips in the place of classes, where there are no labels: unsupervised few-shot learning draws its episodes from them. Pure. */
import type { Key } from '../engine/random.ts';
import { whitened } from './clipEmbedding.ts';
import { type KMeans, type KMeansOptions, kMeans, type Points } from './kMeans.ts';

export interface PseudoClassOptions extends KMeansOptions {
  /** Components of PCA whitening; null: the embeddings as they are. */
  readonly whiten: number | null;
  /** Clusters with fewer members are dropped: an episode takes K supports and its queries from each. */
  readonly minMembers: number;
  /** Share of each cluster's members, those farthest from its centre, that are dropped, rounded down; before small clusters are. */
  readonly dropFarthest: number;
}

/** Clusters as classes. */
export interface PseudoClasses {
  /** `cluster-00`, …, the largest first. */
  readonly names: readonly string[];
  /** The class of each clip; -1: it was dropped. */
  readonly labels: Int32Array;
  /** Before anything was dropped. */
  readonly clustering: KMeans;
  /** Clusters that were too small, and the clips in them; clips far from the centres of the others. */
  readonly dropped: { readonly clusters: number; readonly ofSmall: number; readonly far: number };
}

/**
 * Makes classes of embeddings `[clips, D]`. Everything follows from the key.
 * @throws RangeError as {@link kMeans} and {@link whitened}, or for a share that is not in [0, 1)
 */
export function pseudoClasses(embeddings: Points, options: PseudoClassOptions, key: Key): PseudoClasses {
  const { whiten, minMembers, dropFarthest, clusters } = options;
  if (!(dropFarthest >= 0 && dropFarthest < 1))
    throw new RangeError(`dropFarthest: expected a share from 0 to below 1, found ${dropFarthest}`);
  const clustering = kMeans(whiten === null ? embeddings : whitened(embeddings, whiten), options, key);
  const { labels: all, distances } = clustering;
  const members = Array.from({ length: clusters }, (): number[] => []);
  for (const [i, k] of all.entries()) members[k].push(i);
  const near = members.map(own => {
    const byDistance = [...own].sort((a, b) => distances[a] - distances[b] || a - b);
    // Rounding of the product, such as 0.1 * 30 = 3.0000000000000004, must not count.
    return byDistance.slice(0, own.length - Math.floor(dropFarthest * own.length + 1e-9)).sort((a, b) => a - b);
  });
  const kept = near.filter(({ length }) => length >= minMembers).sort((a, b) => b.length - a.length || a[0] - b[0]);
  const labels = new Int32Array(embeddings.count).fill(-1);
  for (const [label, own] of kept.entries()) for (const i of own) labels[i] = label;
  const digits = Math.max(2, String(kept.length - 1).length);
  const isSmall = near.map(({ length }) => length < minMembers);
  const countOf = (groups: readonly (readonly number[])[], small: boolean): number =>
    groups.reduce((sum, { length }, k) => (isSmall[k] === small ? sum + length : sum), 0);
  return {
    names: kept.map((_, label) => `cluster-${String(label).padStart(digits, '0')}`),
    labels,
    clustering,
    dropped: {
      clusters: clusters - kept.length,
      ofSmall: countOf(members, true),
      far: countOf(members, false) - countOf(near, false),
    },
  };
}
