/** BMN and overlaps. */
import { add, compile, fromNumbers, type NDArray, pick, type Tensor } from '../../../src/engine/index.ts';
import { bmn } from '../../../src/localization/bmn.ts';
import { bmnBoundaryLoss, bmnClassLoss } from '../../../src/localization/bmnLoss.ts';
import { bmnMask } from '../../../src/localization/bmnMask.ts';
import { segmentIoA, segmentIoU } from '../../../src/localization/segments.ts';
import type { SymbolicParams } from '../../../src/nn/index.ts';
import { type Adapter, type Compared, compareArray, type Precision, type ReferenceCase } from '../case.ts';
import { adapterOf, arraysOf, compareIn, numberOf, numbersOf } from './inputs.ts';

const precisions: readonly Precision[] = ['float64', 'float32'];

/** Traces, runs once and frees. */
async function once(
  fn: (inputs: SymbolicParams) => Record<string, Tensor>,
  inputs: Record<string, NDArray>,
): Promise<Record<string, NDArray>> {
  const compiled = compile(fn);
  try {
    return (await compiled(inputs)) as Record<string, NDArray>;
  } finally {
    await compiled.dispose();
  }
}

/** What was computed in both precisions against what is expected. */
async function compareBoth(
  c: ReferenceCase,
  fn: (inputs: SymbolicParams) => Record<string, Tensor>,
  inputsOf: (precision: Precision) => Record<string, NDArray>,
): Promise<Compared[]> {
  const compared: Compared[] = [];
  for (const precision of precisions) {
    const outputs = await once(fn, inputsOf(precision));
    for (const [name, got] of Object.entries(outputs)) compared.push(compareIn(c, `out.${name}`, got, precision));
  }
  return compared;
}

const network = adapterOf('bmn', async c => {
  const mask = bmnMask({
    places: numberOf(c, 'TEMPORAL_SCALE'),
    durations: numberOf(c, 'DURATION_SCALE'),
    samples: numberOf(c, 'NUM_SAMPLE'),
    perSample: numberOf(c, 'NUM_SAMPLE_PERBIN'),
    extension: numberOf(c, 'BOUNDARY_RATIO'),
  });
  const [verbs, nouns] = c.hyperparameters.NUM_CLASSES as [number, number];
  const run = ({ x, mask: weights, ...params }: SymbolicParams): Record<string, Tensor> => {
    const output = bmn(params, x, weights, { classes: { verbs, nouns } });
    return {
      confidence_map: output.confidence,
      start: output.start,
      end: output.end,
      reg_map: output.regression!,
      verb_map: output.verbs!,
      noun_map: output.nouns!,
    };
  };
  const numbers = Array.from(mask.data);
  const compared = await compareBoth(c, run, precision => ({
    ...arraysOf(c, 'param.', precision),
    ...arraysOf(c, 'in.', precision),
    mask: fromNumbers(numbers, mask.shape, precision),
  }));
  // The published mask is a table in float32.
  const flat = fromNumbers(numbers, c.arrays['out.sample_mask'].shape, 'float64');
  return [compareArray(c, 'out.sample_mask', flat, { rtol: 0, atol: 0 }), ...compared];
});

const losses = adapterOf('bmn_loss', c =>
  compareBoth(
    c,
    inputs => ({
      tem: add(bmnBoundaryLoss(inputs.pred_start, inputs.gt_start), bmnBoundaryLoss(inputs.pred_end, inputs.gt_end)),
      pem_cls: bmnClassLoss(pick(inputs.confidence_map, 1, 1), inputs.iou_map, inputs.mask, numberOf(c, 'POS_CLS_THRES')),
    }),
    precision => arraysOf(c, 'in.', precision),
  ),
);

const overlaps = adapterOf('iou1d', c => {
  const [from, to] = [numbersOf(c, 'in.anchors_min'), numbersOf(c, 'in.anchors_max')];
  const box = numbersOf(c, 'in.box') as [number, number];
  const each = (measure: typeof segmentIoU): NDArray =>
    fromNumbers(
      from.map((start, i) => measure([start, to[i]], box)),
      [from.length],
      'float64',
    );
  return [
    compareArray(c, 'out.iou', each(segmentIoU), c.tolerance('out.iou', 'float64')),
    compareArray(c, 'out.ioa', each(segmentIoA), c.tolerance('out.ioa', 'float64')),
  ];
});

/** Adapters of localisation. */
export const adapters: Adapter[] = [network, losses, overlaps];
