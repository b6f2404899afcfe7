/** Cases of matching alone: Bi-MHM, OTAM's recursion in both forms, the damped cosine, temporal coherence. */

import {
  add,
  compile,
  expandDims,
  fromNumbers,
  grad,
  mul,
  type NDArray,
  neg,
  sum,
  type Tensor,
  transpose,
} from '../../../src/engine/index.ts';
import {
  biMhm,
  classMeans,
  coherence,
  coherenceWeights,
  cosines,
  frameDistances,
  otamOneWay,
} from '../../../src/fewshot/index.ts';
import { type Adapter, type Compared, compareArray, type Precision, type ReferenceCase } from '../case.ts';
import { allAs, arraysWith, integersOf, numberOf, supportOrder } from './headInputs.ts';

type Named<T = Tensor> = Readonly<Record<string, T>>;

const precisions: readonly Precision[] = ['float64', 'float32'];

/**
 * Runs `outputs` of the case's floating inputs in both precisions, and compares them and the gradients of `objective`, by default sum(first output x
 * cotangent).
 */
export async function compareWithGradients(
  c: ReferenceCase,
  outputs: (inputs: Named) => Named,
  inputs: (precision: Precision) => Named<NDArray> = precision => allAs(arraysWith(c, 'in.'), precision),
  objective?: (outputs: Named) => Tensor,
): Promise<Compared[]> {
  const compared: Compared[] = [];
  for (const precision of precisions) {
    const given = inputs(precision);
    const isInput = (name: string) => name !== 'cotangent' && !name.startsWith('buffer.') && given[name].dtype === precision;
    const at = Object.fromEntries(Object.entries(given).filter(([name]) => isInput(name)));
    const rest = Object.fromEntries(Object.entries(given).filter(([name]) => !isInput(name)));
    const step = compile((x: Named, fixed: Named) => {
      const score = (point: Named) => {
        const all = outputs({ ...point, ...fixed });
        return objective ? objective(all) : sum(mul(Object.values(all)[0], fixed.cotangent));
      };
      return { outputs: outputs({ ...x, ...fixed }), gradients: grad(score)(x) };
    });
    const result = await step(at, rest);
    await step.dispose();
    const keys = (prefix: string, arrays: Named<NDArray>) =>
      Object.entries(arrays).map(([name, array]) => compareArray(c, prefix + name, array, c.tolerance(prefix + name, precision)));
    compared.push(...keys('out.', result.outputs));
    const isParam = (name: string) => `param.${name}` in c.arrays;
    for (const [name, array] of Object.entries(result.gradients))
      compared.push(...keys(isParam(name) ? 'grad.param.' : 'grad.in.', { [name]: array }));
  }
  return compared;
}

const bidirectional: Adapter = {
  matches: ({ kind }) => kind === 'bimhm',
  run: c => {
    const { shots, sort } = supportOrder(integersOf(c.arrays['in.support_labels']));
    const swap = (x: Tensor) => transpose(x, [1, 0, 2, 3]);
    return compareWithGradients(
      c,
      ({ support, query }) => {
        const matched = biMhm(frameDistances(expandDims(query, 1), swap(sort(swap(support)))));
        return { logits: neg(classMeans(matched, shots, 1)) };
      },
      precision => {
        const { support_labels: _, ...floats } = allAs(arraysWith(c, 'in.'), precision);
        return floats;
      },
    );
  },
};

const alignment: Adapter = {
  matches: ({ kind }) => kind === 'otam_dtw',
  run: async c => {
    const smoothing = numberOf(c, 'lambda_');
    const both = (['host', 'graph'] as const).map(form =>
      compareWithGradients(c, ({ dists }) => ({
        cum: otamOneWay(dists, { smoothing, form }),
        cum_transposed: otamOneWay(transpose(dists, [0, 1, 3, 2]), { smoothing, form }),
      })),
    );
    return (await Promise.all(both)).flat();
  },
};

const damped: Adapter = {
  matches: ({ kind }) => kind === 'cos_sim',
  run: c => compareWithGradients(c, ({ x, y }) => ({ sim: cosines(x, y, 'damped') })),
};

const regulariser: Adapter = {
  matches: ({ kind }) => kind === 'temporal_coherence',
  run: async c => {
    const options = {
      window: numberOf(c, 'WINDOW_SIZE'),
      balance: numberOf(c, 'TEMPORAL_BALANCE'),
      farWeight: Number(c.hyperparameters.BALANCE_COEFFICIENT) || 1,
    };
    const frames = numberOf(c, 'T');
    const { weights, near } = coherenceWeights(frames, options);
    const square = (key: string, values: readonly number[]) =>
      compareArray(c, key, fromNumbers(values, [frames, frames], 'float64'), c.tolerance(key, 'float64'));
    const one = (x: Tensor) => sum(coherence(expandDims(x, 0), options));
    const compared = await compareWithGradients(
      c,
      ({ support, query }) => ({
        loss_temporal: add(one(support), one(query)),
        logits: neg(biMhm(frameDistances(expandDims(query, 1), support))),
      }),
      undefined,
      ({ loss_temporal }) => loss_temporal,
    );
    return [...compared, square('out.weight_matrix', weights), square('out.window_mask', near)];
  },
};

/** Adapters of matching. */
export const adapters: Adapter[] = [bidirectional, alignment, damped, regulariser];
