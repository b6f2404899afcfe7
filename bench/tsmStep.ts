/**
 * Times TSM-ResNet50. Run as a child by bench/tsm.ts, so that memory is the step's own:
 * `tsmStep.ts KIND CLIPS SEGMENTS SIZE CLASSES THREADS STEPS` with KIND `infer` (batch norms folded, weights constants) or `train` (forward,
 * cross-entropy, backward, SGD with momentum). Prints one JSON object like bench/pytorch/tsm_step.py.
 */
import { foldTsm, initTsm, tsm, tsmPreset } from '../src/backbones/index.ts';
import {
  compile,
  constant,
  logSoftmax,
  mean,
  mul,
  neg,
  oneHot,
  random,
  sum,
  type Tensor,
  valueAuxAndGrad,
} from '../src/engine/index.ts';
import { int64s } from '../src/engine/op.ts';
import { linear, linearParams, type Params, type SymbolicParams, sgd } from '../src/nn/index.ts';

const [kind, ...numbers] = process.argv.slice(2);
const [clips, segments, size, classes, threads, steps] = numbers.map(Number);
const options = { ...tsmPreset, segments };
const seed = random.key(0);
const params: Params = { ...initTsm(options, seed), ...linearParams('classify', 2048, classes, random.fold(seed, 1)) };
const video = random.uniform(random.fold(seed, 2), [clips, 3, segments, size, size]);
// So small that the clip is not learnt by heart: the gradients of a loss of nothing are denormal numbers, which take both sides a hundred times as long.
const rate = 1e-5;
const isBuffer = (name: string) => /running_|num_batches/.test(name);
const part = (buffers: boolean) => Object.fromEntries(Object.entries(params).filter(([name]) => isBuffer(name) === buffers));

const parts: Record<string, number[]> = { seconds: [], cpu: [], optimizer: [] };
async function timed(graph: () => Promise<void>, optimizer = () => {}) {
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    const before = process.cpuUsage();
    await graph();
    const computed = performance.now();
    optimizer();
    const end = performance.now();
    const { user, system } = process.cpuUsage(before);
    const cpu = (user + system) / 1000;
    for (const [name, ms] of Object.entries({ seconds: end - start, cpu, optimizer: end - computed })) {
      parts[name].push(ms / 1000);
    }
  }
}

if (kind === 'infer') {
  const folded = foldTsm(params, options);
  const infer = compile(
    (x: Tensor) => {
      const weights = Object.fromEntries(Object.entries(folded).map(([name, array]) => [name, constant(array)]));
      return linear(weights, 'classify', tsm(weights, x, options, { norm: 'running' }).features);
    },
    { threads },
  );
  await timed(async () => void (await infer(video)));
} else {
  const [trained, buffers] = [part(false), part(true)];
  const step = compile(
    (weights: SymbolicParams, state: SymbolicParams, x: Tensor, labels: Tensor) =>
      valueAuxAndGrad((p: SymbolicParams): [Tensor, Record<string, Tensor>] => {
        const all = { ...state, ...p };
        const { features, buffers: moved } = tsm(all, x, options, { norm: 'batch' });
        const own = sum(mul(logSoftmax(linear(all, 'classify', features)), oneHot(labels, classes)), 1);
        return [neg(mean(own)), moved];
      })(weights),
    { threads },
  );
  const labels = int64s(Array.from({ length: clips }, (_, i) => i % classes));
  const optimizer = sgd({ momentum: 0.9, nesterov: true, weightDecay: 1e-4 });
  const state = optimizer.init(trained);
  let gradients: Params = {};
  await timed(
    async () => {
      gradients = (await step(trained, buffers, video, labels))[2];
    },
    () => optimizer.update(trained, gradients, state, rate),
  );
}
console.log(JSON.stringify({ ...parts, megabytes: process.resourceUsage().maxRSS / 1e3 }));
