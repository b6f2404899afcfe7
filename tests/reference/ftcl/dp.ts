/** Reference cases `dp__*`: similarity, smooth maximum, and both sequence scores in every form there is. */

import { mul, type NDArray, ndarray, reshape, sum, type Tensor } from '../../../src/engine/index.ts';
import { fsd, fsdGradients, fsdOfSequences, fsdOnHost, fsdTable, smoothMax } from '../../../src/localization/sequences/fsd.ts';
import { lcs, lcsOnHost, lcsPath, lcsTable } from '../../../src/localization/sequences/lcs.ts';
import { type CosineOptions, cosineSimilarity, matchAndGap } from '../../../src/localization/sequences/similarity.ts';
import { type Adapter, type Compared, compareArray, type ReferenceCase } from '../case.ts';
import { arraysOf, compareForm, comparePresent, type Named, numberOf, precisionOf, withGradients } from './network.ts';

const has = (c: ReferenceCase, ...keys: readonly string[]): boolean => keys.every(key => key in c.arrays);
const dp = (matches: (c: ReferenceCase) => boolean, run: Adapter['run']): Adapter => ({
  matches: c => c.kind === 'dp' && matches(c),
  run,
});
const gammaOf = (c: ReferenceCase): number => numberOf(c, ['gamma'], 0.1);
/** The threshold as the comparison has it: in the precision of the similarities. */
const thresholdOf = (c: ReferenceCase): number => {
  const threshold = numberOf(c, ['threshold'], 0.92);
  return precisionOf(c) === 'float32' ? Math.fround(threshold) : threshold;
};

/** `x` as a batch: sequences or matrices of one pair get a leading axis of 1. */
const batched = (x: Tensor): Tensor => (x.rank === 2 ? reshape(x, [1, ...x.shape]) : x);
/** Compares a result in a further form, under the names of the case. */
function compareForms(
  c: ReferenceCase,
  form: string,
  { outputs, gradients }: Awaited<ReturnType<typeof withGradients>>,
): Compared[] {
  return comparePresent(c, outputs, gradients).map(compared => ({
    ...compared,
    key: `${compared.key} (${form})`,
    tolerance: c.tolerance(compared.key),
  }));
}

// ------------------------------------------------------------------------------------------ similarity

/** `in.a` `[n, d]`, `in.b` `[m, d]` -> `out.similarity`; gradients of <cot, out>. */
const cosine = dp(
  c => has(c, 'in.a', 'in.b', 'out.similarity'),
  async c => {
    const run = (options: CosineOptions) =>
      withGradients(
        ({ a, b }, { similarity: cotangent }) => {
          const similarity = cosineSimilarity(a, b, options);
          return { loss: sum(cotangent ? mul(cotangent, similarity) : similarity), outputs: { similarity } };
        },
        arraysOf(c, 'in.'),
        arraysOf(c, 'cot.'),
      );
    const asPublished = await run({ zeroRows: 'nan' });
    const compared = comparePresent(c, asPublished.outputs, asPublished.gradients);
    // The default protects rows of zeros, and differs nowhere else.
    const hasZeroRows = Array.from(c.arrays['out.similarity'].data, Number).some(Number.isNaN);
    return hasZeroRows ? compared : [...compared, ...compareForms(c, 'default', await run({}))];
  },
);

/** `in.vK` `[n]` -> `out.vK_gammaG` and its gradient, for every gamma. */
const smoothMaximum = dp(
  c => Array.isArray(c.hyperparameters.gammas),
  async c => {
    const vectors = arraysOf(c, 'in.');
    const runs = Object.entries(vectors).flatMap(([name, vector]) =>
      (c.hyperparameters.gammas as number[]).map(async gamma => {
        const named = [String(gamma), gamma.toFixed(1)]
          .map(text => `${name}_gamma${text.replace('.', 'p')}`)
          .find(key => has(c, `out.${key}`));
        if (!named) throw new Error(`${c.name}: expected an output for ${name} with gamma ${gamma}`);
        const { outputs, gradients } = await withGradients(
          ({ v }) => {
            const value = smoothMax(v, -1, gamma);
            return { loss: value, outputs: { value } };
          },
          { v: vector },
        );
        return [compareArray(c, `out.${named}`, outputs.value), compareArray(c, `grad.${named}`, gradients.v)];
      }),
    );
    return (await Promise.all(runs)).flat();
  },
);

// ------------------------------------------------------------------------------------------------ FSD

type Fsd = (match: Tensor, gap: Tensor, gamma: number) => Tensor;
const fsdForms: Record<string, Fsd> = { graph: fsd, host: fsdOnHost };

/** `in.m`, `in.g` `[L, L]` -> `out.score`, `out.table`. */
const fsdOfScores = dp(
  c => has(c, 'in.m', 'in.g', 'out.score'),
  async c => {
    const gamma = gammaOf(c);
    const inputs = arraysOf(c, 'in.');
    const compared = await Promise.all(
      Object.entries(fsdForms).map(async ([form, score]) => {
        const result = await withGradients(({ m, g }) => {
          const scores = score(batched(m), batched(g), gamma);
          return { loss: sum(scores), outputs: { score: reshape(scores, c.arrays['out.score'].shape) } };
        }, inputs);
        return form === 'graph' ? comparePresent(c, result.outputs, result.gradients) : compareForms(c, form, result);
      }),
    );
    return [...compared.flat(), ...fsdTables(c, inputs, gamma)];
  },
);

/** The plain recursion, its table and its backward scan, of one pair. */
function fsdTables(c: ReferenceCase, { m, g }: Named<NDArray>, gamma: number): Compared[] {
  if (m.shape.length !== 2) throw new Error(`${c.name}: expected in.m [L, L], found rank ${m.shape.length}`);
  const [rows, columns] = m.shape;
  const [match, gap] = [m.data, g.data] as Float64Array[];
  const table = fsdTable(match, gap, rows, columns, gamma);
  const gradients = fsdGradients(table, gap, rows, columns, gamma);
  const tables = has(c, 'out.table') ? [compareArray(c, 'out.table', ndarray('float64', [rows + 1, columns + 1], table))] : [];
  const scan = Object.entries({ 'grad.m': gradients.match, 'grad.g': gradients.gap })
    .filter(([key]) => has(c, key))
    .map(([key, gradient]) => compareForm(c, key, 'scan', ndarray('float64', m.shape, gradient)));
  return [...tables, ...scan];
}

/** `in.a`, `in.b` `[L, D]` -> `out.score`. */
const fsdOfSequencesCase = dp(
  c => has(c, 'in.a', 'in.b', 'out.score'),
  async c => {
    const gamma = gammaOf(c);
    const forms: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
      graph: (a, b) => fsdOfSequences(a, b, gamma, { zeroRows: 'nan' }),
      host: (a, b) => {
        const { match, gap } = matchAndGap(a, b);
        return fsdOnHost(match, gap, gamma);
      },
    };
    return sequenceForms(c, forms, 'score');
  },
);

/** Runs every form of a score of sequences `in.a`, `in.b`. */
async function sequenceForms(
  c: ReferenceCase,
  forms: Record<string, (a: Tensor, b: Tensor) => Tensor>,
  output: string,
): Promise<Compared[]> {
  const runs = Object.entries(forms).map(async ([form, score]) => {
    const result = await withGradients(
      ({ a, b }) => {
        const scores = score(batched(a), batched(b));
        return { loss: sum(scores), outputs: { [output]: reshape(scores, c.arrays[`out.${output}`].shape) } };
      },
      arraysOf(c, 'in.'),
    );
    return form === 'graph' ? comparePresent(c, result.outputs, result.gradients) : compareForms(c, form, result);
  });
  return (await Promise.all(runs)).flat();
}

// ------------------------------------------------------------------------------------------------ LCS

/** `in.sim` `[pairs, L, L]` -> `out.lcs` `[pairs]`, `out.tables`. */
const lcsOfScores = dp(
  c => has(c, 'in.sim', 'out.lcs'),
  async c => {
    const threshold = numberOf(c, ['threshold'], 0.92);
    const inputs = arraysOf(c, 'in.');
    const forms = { graph: lcs, host: lcsOnHost };
    const compared = await Promise.all(
      Object.entries(forms).map(async ([form, score]) => {
        const result = await withGradients(({ sim }) => {
          const scores = score(batched(sim), threshold);
          return { loss: sum(scores), outputs: { lcs: reshape(scores, c.arrays['out.lcs'].shape) } };
        }, inputs);
        return form === 'graph' ? comparePresent(c, result.outputs, result.gradients) : compareForms(c, form, result);
      }),
    );
    return [...compared.flat(), ...lcsTables(c, inputs.sim)];
  },
);

/** The plain recursion and the traced path of every pair. */
function lcsTables(c: ReferenceCase, { shape, data }: NDArray): Compared[] {
  const [rows, columns] = shape.slice(-2);
  const threshold = thresholdOf(c);
  const pairs = shape.length === 2 ? 1 : shape[0];
  const similarities = Array.from({ length: pairs }, (_, i) =>
    (data as Float64Array).subarray(i * rows * columns, (i + 1) * rows * columns),
  );
  const tables = similarities.map(similarity => lcsTable(similarity, rows, columns, threshold));
  const paths = similarities.map((similarity, i) => lcsPath(tables[i], similarity, rows, columns, threshold));
  const all = (parts: readonly ArrayLike<number>[]) => Float64Array.from(parts.flatMap(part => Array.from(part)));
  const table = ndarray('float64', [...shape.slice(0, -2), rows + 1, columns + 1], all(tables));
  return [
    ...(has(c, 'out.tables') ? [compareArray(c, 'out.tables', table)] : []),
    ...(has(c, 'grad.sim') ? [compareForm(c, 'grad.sim', 'path', ndarray('float64', shape, all(paths)))] : []),
  ];
}

/** `in.a`, `in.b` `[pairs, L, F]` -> `out.lcs`. */
const lcsOfSequences = dp(
  c => has(c, 'in.a', 'in.b', 'out.lcs'),
  async c => {
    const threshold = numberOf(c, ['threshold'], 0.92);
    const similarity = (a: Tensor, b: Tensor) => cosineSimilarity(a, b, { zeroRows: 'nan' });
    const forms = {
      graph: (a: Tensor, b: Tensor) => lcs(similarity(a, b), threshold),
      host: (a: Tensor, b: Tensor) => lcsOnHost(similarity(a, b), threshold),
    };
    return sequenceForms(c, forms, 'lcs');
  },
);

/** Adapters of the `dp` cases. */
export const adapters: Adapter[] = [cosine, smoothMaximum, fsdOfScores, fsdOfSequencesCase, lcsOfScores, lcsOfSequences];
