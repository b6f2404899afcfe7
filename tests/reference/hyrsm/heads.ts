/** Cases of whole heads on given features: values, losses and gradients in both precisions. */

import { compile, concat, mul, type NDArray, reshape, split, type Tensor, valueAuxAndGrad } from '../../../src/engine/index.ts';
import { applyHead, fewshotLoss, type HeadSettings, headPrefix } from '../../../src/fewshot/index.ts';
import { type Adapter, type Compared, compareArray, type Precision, type ReferenceCase } from '../case.ts';
import { allAs, arraysWith, integersOf, numberOf, recordOf, type SupportOrder, settingsOf, supportOrder } from './inputs.ts';

type Named<T = Tensor> = Readonly<Record<string, T>>;

/** Everything a head case holds, under the case's names, from its features in the case's order. */
export function outputsOf(
  params: Named,
  features: Named,
  labels: { readonly queries: Tensor; readonly clips: Tensor },
  order: SupportOrder,
  settings: HeadSettings,
  weights: { readonly classification: number; readonly coherence: number; readonly divisor: number },
): Named {
  const { support, query, unlabelled } = features;
  const output = applyHead(
    params,
    { support: order.sort(support), query, shots: order.shots, ...(unlabelled && { unlabelled }) },
    settings,
  );
  const clipsOf = (x: Tensor): Tensor => {
    const [supports, queries] = split(x, [support.shape[0], query.shape[0]], 0);
    return concat([order.unsort(supports, 0), queries], 0);
  };
  const frameLogits = output.frameLogits && clipsOf(output.frameLogits);
  const loss = fewshotLoss({ ...output, ...(frameLogits && { frameLogits }) }, labels, weights);
  // The parts that a case shows whether they are in its objective or not.
  const shown = fewshotLoss({ ...output, ...(frameLogits && { frameLogits }) }, labels, { classification: 1, coherence: 1 });
  const { taskSupport, taskQuery, pseudo } = output;
  const bySupport = 'references' in settings && settings.references === 'supports' && settings.head !== 'hyrsm++-semi';
  return {
    logits: output.logits,
    loss_match_ce: loss.matching,
    ...(shown.coherence && { loss_temporal: shown.coherence }),
    ...(frameLogits && { class_logits: reshape(frameLogits, [-1, frameLogits.shape[2]]) }),
    ...(shown.classification && { loss_cls_ce: shown.classification }),
    loss_total: mul(loss.loss, 1 / weights.divisor),
    ...(taskSupport && { task_support: bySupport ? order.unsort(taskSupport, 1) : taskSupport }),
    ...(taskQuery && { task_query: taskQuery }),
    ...(pseudo && {
      pseudo_prob: pseudo.probabilities,
      pseudo_label: pseudo.labels,
      pseudo_selected: pseudo.chosen,
    }),
  };
}

/** Weights of a case's objective. */
export function weightsOf(c: ReferenceCase): { classification: number; coherence: number; divisor: number } {
  const loss = recordOf(c, 'loss');
  return {
    classification: Number(loss.w_cls ?? 0),
    coherence: Number(loss.w_temporal ?? 0),
    divisor: Number(loss.batch_size ?? 1),
  };
}

async function runHead(c: ReferenceCase, precision: Precision): Promise<Compared[]> {
  const frames = numberOf(c, 'T');
  const settings = settingsOf(c, numberOf(c, 'D'));
  const order = supportOrder(integersOf(c.arrays['in.support_labels']));
  const weights = weightsOf(c);
  const state = allAs({ ...arraysWith(c, 'param.') }, precision);
  const buffers = prefixed(allAs(arraysWith(c, 'buffer.'), precision));
  const videos = (key: string): NDArray => {
    const array = allAs({ x: c.arrays[key] }, precision).x;
    return { ...array, shape: [array.shape[0] / frames, frames, array.shape[1]] };
  };
  const features = {
    support: videos('in.support_set'),
    query: videos('in.target_set'),
    ...('in.target_set_weakly' in c.arrays && { unlabelled: videos('in.target_set_weakly') }),
  };
  const clips = [...integersOf(c.arrays['in.real_support_labels']), ...integersOf(c.arrays['in.real_target_labels'])];
  const labels = {
    queries: c.arrays['in.target_labels'],
    clips: { dtype: 'int32', shape: [clips.length], data: Int32Array.from(clips) } as NDArray,
  };
  const step = compile((at: { params: Named; features: Named }, fixed: Named, given: { queries: Tensor; clips: Tensor }) =>
    valueAuxAndGrad((point: { params: Named; features: Named }): [Tensor, Named] => {
      const outputs = outputsOf({ ...fixed, ...point.params }, point.features, given, order, settings, weights);
      return [outputs.loss_total, outputs];
    })(at),
  );
  const [, outputs, gradients] = await step({ params: prefixed(state), features }, buffers, labels);
  await step.dispose();
  const got: Record<string, NDArray> = Object.fromEntries(Object.entries(outputs).map(([name, array]) => [`out.${name}`, array]));
  for (const [name, array] of Object.entries(gradients.params)) got[`grad.param.${name.slice(headPrefix.length)}`] = array;
  const inputs = { support: 'support_set', query: 'target_set', unlabelled: 'target_set_weakly' } as Record<string, string>;
  for (const [name, array] of Object.entries(gradients.features))
    got[`grad.in.${inputs[name]}`] = { ...array, shape: [array.shape[0] * frames, array.shape[2]] };
  if ('sane.logits' in c.arrays) {
    const sane = compile((params: Named, x: Named) => {
      const { support, query, unlabelled } = x;
      const episode = { support: order.sort(support), query, shots: order.shots, unlabelled };
      return applyHead(params, episode, { ...settings, selection: 'all' } as HeadSettings).logits;
    });
    got['sane.logits'] = await sane({ ...buffers, ...prefixed(state) }, features);
    await sane.dispose();
  }
  return Object.entries(got).flatMap(([key, array]) => {
    const want = c.arrays[key];
    if (!want) return key.startsWith('out.') || key.startsWith('sane.') ? [] : [missing(c, key)];
    return [compareArray(c, key, array, c.tolerance(key, precision))];
  });
}

function missing(c: ReferenceCase, key: string): never {
  throw new Error(`${c.name} has no ${key}, which we compute`);
}

function prefixed(params: Record<string, NDArray>): Record<string, NDArray> {
  return Object.fromEntries(Object.entries(params).map(([name, array]) => [headPrefix + name, array]));
}

const heads: Adapter = {
  matches: ({ kind }) => kind === 'head',
  run: async c => [...(await runHead(c, 'float64')), ...(await runHead(c, 'float32'))],
};

/** Adapters of the heads. */
export const adapters: Adapter[] = [heads];
