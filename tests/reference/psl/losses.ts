/** Cases of losses: PSL, its variants and its distributed form, and the losses of the baselines. */

import {
  compile,
  fromNumbers,
  mul,
  type NDArray,
  softmax,
  sub,
  type Tensor,
  valueAuxAndGrad,
} from '../../../src/engine/index.ts';
import {
  annealing,
  bayesLinear,
  bayesPreset,
  dirichletMean,
  dirichletVacuity,
  type EvidentialOptions,
  evidentialLoss,
  gatheredRows,
  hsic,
  type PslLossOptions,
  pslLoss,
  pslPreset,
  pslVariants,
  rplLogits,
  rplLoss,
  unitRows,
} from '../../../src/openset/index.ts';
import { type Adapter, type Compared, compareArray, type Precision, type ReferenceCase } from '../case.ts';
import { asPrecision, numberOf } from './inputs.ts';

type Named<T = Tensor> = Readonly<Record<string, T>>;

/** Compiles a loss over named arrays, differentiates it over those in `at`, runs it; gradients under `grad_${name}`. */
async function run(
  loss: (at: Named, given: Named) => [Tensor, Named],
  at: Named<NDArray>,
  given: Named<NDArray> = {},
): Promise<Named<NDArray>> {
  const compiled = compile((p: Named, q: Named) => {
    const [value, outputs, gradients] = valueAuxAndGrad((x: Named): [Tensor, Named] => loss(x, q))(p);
    return { loss: value, outputs, gradients };
  });
  try {
    const { loss: value, outputs, gradients } = await compiled(at, given);
    const named = Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [`grad_${name}`, gradient]));
    return { loss: value, ...outputs, ...named };
  } finally {
    await compiled.dispose();
  }
}

/** Everything of `got` that the case expects, at the bounds of a precision. */
function present(c: ReferenceCase, got: Named<NDArray>, precision: Precision, label = ''): Compared[] {
  return Object.entries(got).flatMap(([name, array]) => {
    const key = `out_${name}`;
    if (!(key in c.arrays)) return [];
    const compared = compareArray(c, key, array, c.tolerance(key, precision));
    return [{ ...compared, key: `${key}${label}` }];
  });
}

const publishedVariants: Readonly<Record<string, PslLossOptions>> = {
  nce_prototype_no_contrastive: pslVariants.cosine,
  nce_prototype_thre_6: pslVariants.prototype,
  nce_prototype_thre_5: pslVariants['prototype-negatives'],
  nce_prototype_thre: pslVariants['single-clip'],
  nce_prototype_thre_7: pslVariants['single-clip-positives'],
  nce_prototype_5: pslVariants['no-targets'],
  nce_prototype_double_2_2: pslVariants['two-clips-no-targets'],
  super_nce: pslVariants['supervised-contrastive'],
};

/** The options of a case: a published variant with the case's numbers. THRE_1 is of clips of the class in the one-clip variants. */
function optionsOf(c: ReferenceCase): PslLossOptions {
  const temperature = numberOf(c, 'temperature');
  if (c.kind !== 'psl_variant_loss') {
    const [shuffled, same] =
      c.kind === 'psl_loss'
        ? [numberOf(c, 's_shuffle_THRE_1'), numberOf(c, 's_same_and_proto_THRE_2')]
        : [numberOf(c, 'THRE_1'), numberOf(c, 'THRE_2')];
    return { ...pslPreset, temperature, shuffledTarget: shuffled, sameClassTarget: same, prototypeTarget: same };
  }
  const name = String(c.hyperparameters.variant);
  const variant = publishedVariants[name];
  if (!variant) throw new Error(`${c.name}: unknown variant ${name}`);
  return {
    ...variant,
    temperature,
    prototypeTarget: variant.prototypeTarget === null ? null : numberOf(c, 'THRE_2'),
    sameClassTarget: variant.sameClassTarget === null ? null : numberOf(c, 'THRE_1'),
  };
}

/** One label a row. */
function rowLabels(c: ReferenceCase, rows: number): NDArray {
  const labels = Array.from(c.arrays.in_labels.data as BigInt64Array, Number);
  const repeats = rows / labels.length;
  return fromNumbers(
    labels.flatMap(label => Array<number>(repeats).fill(label)),
    [rows],
    'int32',
  );
}

const psl: Adapter = {
  matches: ({ kind }) => kind === 'psl_loss' || kind === 'psl_variant_loss',
  async run(c) {
    const options = optionsOf(c);
    const compared: Compared[] = [];
    for (const precision of ['float64', 'float32'] as const) {
      const label = precision === 'float32' ? ' (float32)' : '';
      const [raw, features, prototypes] = ['in_raw', 'in_features', 'in_prototypes'].map(name =>
        asPrecision(c.arrays[name], precision),
      );
      const labels = rowLabels(c, raw.shape[0]);
      const of = (z: Tensor, at: Named, given: Named): [Tensor, Named] => {
        const { loss, perAnchor } = pslLoss(z, given.labels, at.prototypes, options);
        return [loss, { per_anchor: perAnchor }];
      };
      const free = await run((at, given) => of(at.features, at, given), { features, prototypes }, { labels });
      const through = await run((at, given) => of(unitRows(at.raw), at, given), { raw, prototypes }, { labels });
      compared.push(...present(c, { ...through, ...free }, precision, label));
      if (precision === 'float32')
        compared.push(compareArray(c, 'out_loss_float32', through.loss, c.tolerance('out_loss_float32', precision)));
    }
    return compared;
  },
};

const pslOfRanks: Adapter = {
  matches: ({ kind }) => kind === 'psl_multi_rank',
  async run(c) {
    const ranks = numberOf(c, 'ranks');
    const options = optionsOf(c);
    const [raw, prototypes] = ['in_raw', 'in_prototypes'].map(name => asPrecision(c.arrays[name], 'float64'));
    const rows = raw.shape[0];
    const labels = rowLabels(c, rows);
    const each = [];
    for (let rank = 0; rank < ranks; rank++) {
      const size = raw.data.length / ranks;
      const own = {
        ...raw,
        shape: [rows / ranks, raw.shape[1]],
        data: raw.data.slice(rank * size, (rank + 1) * size) as Float64Array,
      };
      each.push(
        await run(
          (at, given) => {
            const z = gatheredRows(unitRows(at.raw), unitRows(given.gathered), rank);
            return [mul(pslLoss(z, given.labels, at.prototypes, options).loss, ranks), {}];
          },
          { raw: own, prototypes },
          { gathered: raw, labels },
        ),
      );
    }
    const single = await run(
      (at, given) => [pslLoss(unitRows(at.raw), given.labels, at.prototypes, options).loss, {}],
      { raw, prototypes },
      { labels },
    );
    const values = (arrays: readonly NDArray[]) => arrays.flatMap(({ data }) => Array.from(data as Float64Array));
    const average = values(each.map(rank => rank.grad_raw)).map(value => value / ranks);
    const compare = (key: string, array: NDArray) => compareArray(c, key, array, c.tolerance(key, 'float64'));
    return [
      compare('out_loss_per_rank', fromNumbers(values(each.map(rank => rank.loss)), [ranks], 'float64')),
      compare('out_grad_raw_rank_average', fromNumbers(average, raw.shape, 'float64')),
      ...each.map(rank => compare('out_grad_prototypes_each_rank', rank.grad_prototypes)),
      compare('out_loss_single', single.loss),
      compare('out_grad_raw_single', single.grad_raw),
      compare('out_grad_prototypes_single', single.grad_prototypes),
    ];
  },
};

const evidential: Adapter = {
  matches: ({ kind }) => kind === 'evidential',
  async run(c) {
    const { evidence, loss_type, with_kl, with_avuc, disentangle } = c.hyperparameters;
    if (disentangle !== false) throw new Error(`${c.name}: expected disentangle false, found ${disentangle}`);
    const options = { evidence, classLoss: loss_type, kl: with_kl, calibration: with_avuc } as EvidentialOptions;
    const lambda = annealing(numberOf(c, 'epoch') / numberOf(c, 'total_epochs'), numberOf(c, 'annealing_start'));
    const got = await run(
      (at, { labels }) => {
        const { loss, classes, kl, calibration, alpha } = evidentialLoss(at.logits, labels, lambda, options);
        return [
          loss,
          {
            total: loss,
            loss_cls: classes,
            ...(kl && { loss_kl: kl }),
            ...(calibration && { loss_avu: calibration }),
            alpha,
            prob: dirichletMean(alpha),
            uncertainty: dirichletVacuity(alpha),
          },
        ];
      },
      { logits: asPrecision(c.arrays.in_logits, 'float64') },
      { labels: c.arrays.in_labels },
    );
    return present(c, { ...got, annealing: fromNumbers([lambda], [], 'float64') }, 'float64');
  },
};

const independence: Adapter = {
  matches: ({ kind }) => kind === 'hsic',
  async run(c) {
    const { in_x: x, in_y: y } = c.arrays;
    const { grad_x, ...got } = await run(
      (at, given) => {
        const biased = hsic(at.x, given.y);
        return [biased, { biased, unbiased: hsic(at.x, given.y, 'unbiased') }];
      },
      { x },
      { y },
    );
    return present(c, { ...got, grad_x_biased: grad_x }, 'float64');
  },
};

const reciprocalPoints: Adapter = {
  matches: ({ kind }) => kind === 'rpl',
  async run(c) {
    const { in_features: features, in_centers: centers, in_radius: radius, in_labels: labels } = c.arrays;
    const options = { weight: numberOf(c, 'weight_pl'), temperature: numberOf(c, 'temperature') };
    const got = await run(
      (at, given) => {
        const prob = softmax(rplLogits(at.features, at.centers));
        return [rplLoss(at.features, at.centers, at.radius, given.labels, options), { prob }];
      },
      { features, centers, radius },
      { labels },
    );
    const [n, k] = got.prob.shape;
    const uncertainty = Array.from(
      { length: n },
      (_, i) => 1 - Math.max(...(got.prob.data as Float64Array).subarray(i * k, (i + 1) * k)),
    );
    return present(c, { ...got, uncertainty: fromNumbers(uncertainty, [n], 'float64') }, 'float64');
  },
};

const bayes: Adapter = {
  matches: ({ kind }) => kind === 'bayes_linear',
  async run(c) {
    const names = ['weight_mu', 'weight_rho', 'bias_mu', 'bias_rho'];
    const params = Object.fromEntries(names.map(name => [`fc.${name}`, c.arrays[`in_${name}`]]));
    const { in_x: x, in_eps_w: weight, in_eps_b: bias } = c.arrays;
    const options = {
      ...bayesPreset,
      prior: { share: numberOf(c, 'pi'), wide: numberOf(c, 'sigma1'), narrow: numberOf(c, 'sigma2') },
      reduction: 'mean' as const,
    };
    const got = await run(
      (at, given) => {
        const { y, logPrior, logPosterior } = bayesLinear(at, 'fc', given.x, { weight: given.weight, bias: given.bias }, options);
        return [sub(logPosterior, logPrior), { y, log_prior: logPrior, log_posterior: logPosterior }];
      },
      params,
      { x, weight, bias },
    );
    return present(c, got, 'float64');
  },
};

/** Adapters of the losses. */
export const adapters: Adapter[] = [psl, pslOfRanks, evidential, independence, reciprocalPoints, bayes];
