/**
 * Times training steps of ACM-Net and FTCL. Run as a child by bench/run.ts, so that memory is the step's own:
 * `acmStep.ts KIND BATCH TIME WIDTH CLASSES THREADS STEPS` with KIND `acm`, `pair` or `pair-plain` (pairs without the sequence terms).
 * Prints one JSON object like bench/pytorch/acm_step.py.
 */
import { type NDArray, ndarray, random, zeros } from '../src/engine/index.ts';
import { acmLossPresets } from '../src/localization/acmLoss.ts';
import { acmNetMasks, acmNetPresets, initAcmNet } from '../src/localization/acmNet.ts';
import { sequenceLossPreset } from '../src/localization/ftclLoss.ts';
import { acmStep, pairStep, trainable } from '../src/localization/steps.ts';
import { adam } from '../src/nn/index.ts';

const [kind, ...numbers] = process.argv.slice(2);
const [batch, time, width, classes, threads, steps] = numbers.map(Number);
const plain = kind === 'pair-plain';
const network = { ...acmNetPresets.thumos14, featureDim: width, classes };
const sequence = plain ? { ...sequenceLossPreset, lcsWeight: 0, fsdWeight: 0 } : sequenceLossPreset;
const model = { network, loss: acmLossPresets.thumos14, sequence };
const seed = random.key(0);

const { trained, frozen } = trainable(initAcmNet(network, seed), kind === 'pair');
const optimizer = adam({ weightDecay: 5e-5 });
const state = optimizer.init(trained);
const videos = (stream: number) => random.uniform(random.fold(seed, stream), [batch, time, width]);
const labels = (): NDArray => {
  const data = zeros([batch, classes]).data as Float32Array;
  for (let i = 0; i < batch; i++) data[i * classes + (i % classes)] = 1;
  return ndarray('float32', [batch, classes], data);
};
const streams = [0, 1].slice(0, kind === 'acm' ? 1 : 2).map(stream => ({ features: videos(stream), labels: labels() }));
const single = acmStep(model, { threads });
const pair = pairStep(model, { threads });

const parts: Record<string, number[]> = { seconds: [], masks: [], graph: [], optimizer: [] };
for (let i = 0; i < steps; i++) {
  const start = performance.now();
  const masks = streams.map((_, s) => acmNetMasks(network, batch, time, random.fold(random.fold(seed, i), s)));
  const ready = performance.now();
  const { gradients } =
    kind === 'acm'
      ? await single(trained, frozen, streams[0].features, streams[0].labels, masks[0])
      : await pair(
          trained,
          frozen,
          [streams[0].features, streams[1].features],
          [streams[0].labels, streams[1].labels],
          [masks[0], masks[1]],
        );
  const computed = performance.now();
  optimizer.update(trained, gradients, state, 1e-4);
  const end = performance.now();
  for (const [name, value] of Object.entries({
    seconds: end - start,
    masks: ready - start,
    graph: computed - ready,
    optimizer: end - computed,
  })) {
    parts[name].push(value / 1000);
  }
}
console.log(JSON.stringify({ ...parts, megabytes: process.resourceUsage().maxRSS / 1e3 }));
