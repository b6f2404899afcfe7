/** In what runs differ. */
import { isMapping } from './configTree.ts';
import type { Run } from './runs.ts';

/** Something that is not the same in all runs. */
export interface Difference {
  /** A path of the configuration such as `train.seed`, or a key of the record. */
  readonly key: string;
  /** One value a run, in their order; undefined where it has none. */
  readonly values: readonly unknown[];
}

/** Keys of the configuration whose values are not the same in all runs, in the order of the configuration. */
export function configDifferences(runs: readonly Run[]): Difference[] {
  const all = differences(runs.map(({ config }) => leaves(config)));
  // Null in one run where another has a mapping: the keys of the mapping say it.
  return all.filter(({ key }) => !all.some(other => other.key.startsWith(`${key}.`)));
}

/**
 * What else is not the same: the data, the classes, what the runs were started from, and what the last session of each ran with. A commit
 * with `+` had changes that were not committed.
 */
export function recordDifferences(runs: readonly Run[]): Difference[] {
  return differences(runs.map(recordFacts));
}

function recordFacts({ record }: Run): Map<string, unknown> {
  const session = record?.sessions.at(-1);
  const commit = (state: { commit: string | null; dirty: boolean } | null | undefined): string | null =>
    state?.commit ? `${state.commit}${state.dirty ? '+' : ''}` : null;
  const facts = {
    data: session?.data ?? record?.data?.sha256,
    classes: record?.classes,
    from: record?.from,
    inkling: session?.versions.inkling,
    onnxruntime: session?.versions.onnxruntime,
    node: session?.versions.node,
    platform: session?.versions.platform,
    cpu: session?.machine.cpu,
    cores: session?.machine.cores,
    commit: commit(session?.git.directory),
    'inkling commit': commit(session?.git.package),
    'data changed since the beginning': record?.data && record.sessions.some(({ data }) => data !== record.data?.sha256),
  };
  return new Map(Object.entries(facts));
}

/** Values by path; lists are values. */
function leaves(value: unknown, path = ''): Map<string, unknown> {
  if (!isMapping(value)) return value === undefined ? new Map() : new Map([[path, value]]);
  const below = Object.entries(value).flatMap(([key, each]) => [...leaves(each, path === '' ? key : `${path}.${key}`)]);
  return new Map(below);
}

function differences(all: readonly ReadonlyMap<string, unknown>[]): Difference[] {
  const keys = new Set(all.flatMap(each => [...each.keys()]));
  return [...keys]
    .map(key => ({ key, values: all.map(each => each.get(key)) }))
    .filter(({ values }) => new Set(values.map(value => JSON.stringify(value))).size > 1);
}
