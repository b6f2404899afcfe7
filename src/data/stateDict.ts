import { DataError } from './formats/dataError.ts';
import { StoredTensor } from './formats/storedTensor.ts';
import type { CheckpointValue } from './formats/torchCheckpoint.ts';

/** The weights of a checkpoint. */
export interface StateDict {
  /** Where in the tree they are, keys joined by dots: `state_dict`, `model.generator`, or empty for the tree itself. */
  readonly path: string;
  /** The prefix that was taken off every name: `module.`, or empty. */
  readonly stripped: string;
  readonly tensors: Map<string, StoredTensor>;
  /** Names of entries beside the weights that are no tensors, such as `extra_state`. */
  readonly others: string[];
}

/** Names under which training scripts save their weights, in order of preference. Averages of weights (EMA) are not among them. */
const usualNames = ['model_state', 'model_state_dict', 'state_dict', 'model', 'net', 'network', 'module', 'weights', 'params'];

/** What wrappers put before every name: data parallelism, `torch.compile`. */
const wrappers = ['module.', '_orig_mod.'];

/** How deep below the root weights are looked for. */
const maxLevels = 3;

interface Candidate {
  readonly path: readonly string[];
  readonly entries: ReadonlyMap<CheckpointValue, CheckpointValue>;
}

/**
 * Finds the weights in a checkpoint: under one of the usual names (`model_state`, `model_state_dict`, `state_dict`, `model`, ...), else the
 * tree itself, else the only dictionary in it that holds tensors. Names lose a `module.` or `_orig_mod.` that all of them start with.
 * @param where the file's name, for messages
 * @param options.key which of several sets of weights to take, by its path: `state_dict_ema`; default the plain one
 * @throws DataError if there are no weights, none of this name, or several of which none is the plain one; those that there are are
 *   listed
 */
export function findStateDict(tree: CheckpointValue, where: string, options: { readonly key?: string } = {}): StateDict {
  const candidates = findCandidates(tree);
  const { path, entries } = choose(candidates, tree, where, options.key);
  const tensors = new Map<string, StoredTensor>();
  const others: string[] = [];
  for (const [name, value] of entries) {
    if (typeof name === 'string' && value instanceof StoredTensor) tensors.set(name, value);
    else others.push(typeof name === 'object' ? '(a key that is no text)' : String(name));
  }
  const stripped = commonPrefix([...tensors.keys()]);
  const strip = (name: string): string => (name.startsWith(stripped) ? name.slice(stripped.length) : name);
  return {
    path: path.join('.'),
    stripped,
    tensors: new Map([...tensors].map(([name, tensor]) => [strip(name), tensor])),
    others: others.map(strip),
  };
}

/** Dictionaries that hold tensors under names, outer ones first. */
function findCandidates(tree: CheckpointValue): Candidate[] {
  const candidates: Candidate[] = [];
  let level: Candidate[] = tree instanceof Map ? [{ path: [], entries: tree }] : [];
  for (let depth = 0; depth <= maxLevels; depth++) {
    const next: Candidate[] = [];
    for (const { path, entries } of level) {
      let holdsTensors = false;
      for (const [name, value] of entries) {
        if (typeof name !== 'string') continue;
        if (value instanceof StoredTensor) holdsTensors = true;
        else if (value instanceof Map) next.push({ path: [...path, name], entries: value });
      }
      if (holdsTensors) candidates.push({ path, entries });
    }
    level = next;
  }
  return candidates;
}

function choose(candidates: readonly Candidate[], tree: CheckpointValue, where: string, key: string | undefined): Candidate {
  const list = candidates
    .slice(0, 10)
    .map(({ path }) => JSON.stringify(path.join('.').slice(0, 100)))
    .join(', ');
  if (candidates.length === 0) throw new DataError(where, `expected tensors by their names, found ${summary(tree)}`);
  if (key !== undefined) {
    const chosen = candidates.find(({ path }) => path.join('.') === key);
    if (!chosen) throw new DataError(where, `expected weights under ${JSON.stringify(key)}, found them under ${list}`);
    return chosen;
  }
  const usual = usualOne(candidates, 0);
  if (usual) return usual;
  const root = candidates.find(({ path }) => path.length === 0);
  if (root) return root;
  if (candidates.length === 1) return candidates[0];
  throw new DataError(where, `expected one set of weights, found several, under ${list}: say which`);
}

/** The first candidate under a usual name: the dictionary of this name itself, else a usual or the only one below it. */
function usualOne(candidates: readonly Candidate[], depth: number): Candidate | undefined {
  for (const name of usualNames) {
    const under = candidates.filter(({ path }) => path[depth] === name);
    if (under.length === 0) continue;
    const itself = under.find(({ path }) => path.length === depth + 1);
    const found = itself ?? usualOne(under, depth + 1) ?? (under.length === 1 ? under[0] : undefined);
    if (found) return found;
  }
  return undefined;
}

/** The wrappers' prefixes that every name has. */
export function commonPrefix(names: readonly string[]): string {
  let prefix = '';
  for (;;) {
    const longer = wrappers
      .map(wrapper => prefix + wrapper)
      .find(candidate => names.length > 0 && names.every(name => name.startsWith(candidate) && name.length > candidate.length));
    if (longer === undefined) return prefix;
    prefix = longer;
  }
}

function summary(tree: CheckpointValue): string {
  if (tree instanceof StoredTensor) return 'a single tensor';
  if (!(tree instanceof Map)) return Array.isArray(tree) ? 'a list' : 'a single value';
  const names = [...tree.keys()]
    .slice(0, 8)
    .map(name => (typeof name === 'string' ? JSON.stringify(name.slice(0, 60)) : typeof name));
  return tree.size === 0
    ? 'an empty dictionary'
    : `a dictionary of ${names.join(', ')}${tree.size > names.length ? ', ...' : ''}`;
}
