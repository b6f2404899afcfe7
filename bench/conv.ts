/**
 * The formulations of convolutions and of their gradients side by side, for the rules in src/engine/ops/temporalConv.ts (three taps or
 * Winograd's F(2, 3)) and src/engine/ops/conv.ts (input and weight gradients): `tsx bench/conv.ts [--full] [--threads 2] [--rounds 15]`.
 * The forms take turns, so what else the machine does meets both alike: read the ratios, not the milliseconds.
 */
import { parseArgs } from 'node:util';
import { type Compiled, compile, type NDArray, random, type Shape, sum, type Tensor, valueAndGrad } from '../src/engine/index.ts';
import { apply1, type Op, zero } from '../src/engine/op.ts';
import { type ConvAttrs, inputGradient, isThin, weightGradientBySwap, weightGradientByTaps } from '../src/engine/ops/conv.ts';
import { convByTaps, convByWinograd, winogradFrom } from '../src/engine/ops/temporalConv.ts';

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '15' },
  },
});
const key = random.key(1);
const array = (shape: Shape, n: number): NDArray => random.normal(random.fold(key, n), shape);

/** A formulation: results are summed, so that copying them out of the runtime does not count. */
type Form = (a: Tensor, b: Tensor) => readonly Tensor[];

/** Median milliseconds of each form, taking turns; the first two rounds warm up. */
async function race(forms: readonly Form[], inputs: readonly [NDArray, NDArray]): Promise<number[]> {
  const compiled = forms.map(
    form =>
      compile((a: Tensor, b: Tensor) => form(a, b).map(y => sum(y)), { threads: Number(values.threads) }) as Compiled<
        [Tensor, Tensor],
        Tensor[]
      >,
  );
  const times: number[][] = forms.map(() => []);
  for (let round = 0; round < Number(values.rounds) + 2; round++) {
    for (const [i, run] of compiled.entries()) {
      const start = performance.now();
      await run(inputs[0], inputs[1]);
      if (round >= 2) times[i].push(performance.now() - start);
    }
  }
  await Promise.all(compiled.map(c => c.dispose()));
  return times.map(t => t.sort((a, b) => a - b)[t.length >> 1]);
}

/** One line: what was measured, `other / chosen` (above 1: the rule is right), and which form the rule chooses. */
async function compare(
  what: string,
  names: readonly [string, string],
  forms: readonly [Form, Form],
  chosen: 0 | 1,
  inputs: readonly [NDArray, NDArray],
): Promise<void> {
  const times = await race(forms, inputs);
  const ratio = times[1 - chosen] / times[chosen];
  const text = `${names[1 - chosen]} / ${names[chosen]}`;
  console.log(`  ${what.padEnd(46)} ${text.padEnd(24)} ${ratio.toFixed(2).padStart(6)}   (${times[chosen].toFixed(1)} ms)`);
}

// ------------------------------------------------------------------------------------- over time, channels last

console.log('temporalConv, width 3: forward and weight gradient of x [batch, time, in], weight [out, in, 3]');
const temporal = [
  [16, 64, 64],
  [16, 64, 128],
  [16, 64, 192],
  [16, 64, 256],
  [16, 64, 384],
  [16, 64, 512],
  [16, 64, 1024],
  ...(values.full
    ? [
        [16, 64, 2048],
        [16, 750, 256],
        [16, 750, 1024],
        [16, 750, 2048],
      ]
    : []),
];
for (const [batch, time, width] of temporal) {
  const withGradient =
    (form: typeof convByTaps): Form =>
    (x, w) =>
      valueAndGrad((at: Tensor) => sum(form(x, at)))(w);
  await compare(
    `${batch} x ${time}, ${width} -> ${width}`,
    ['taps', 'Winograd'],
    [withGradient((x, w) => convByTaps(x, w)), withGradient((x, w) => convByWinograd(x, w))],
    width * width >= winogradFrom ? 1 : 0,
    [array([batch, time, width], 0), array([width, width, 3], 1)],
  );
}

// -------------------------------------------------------------------------------- gradients, channels first

interface Layer {
  readonly what: string;
  readonly x: Shape;
  readonly w: Shape;
  readonly stride?: number;
  readonly groups?: number;
}

const size = values.full ? 2 : 1;
const layers: Layer[] = [
  { what: 'image to 64, 7 x 7, stride 2', x: [4, 3, 112 * size, 112 * size], w: [64, 3, 7, 7], stride: 2 },
  { what: 'dense 3 x 3, 4 channels', x: [4, 4, 56 * size, 56 * size], w: [32, 4, 3, 3] },
  { what: 'dense 3 x 3, 8 channels', x: [4, 8, 56 * size, 56 * size], w: [32, 8, 3, 3] },
  { what: 'dense 3 x 3, 16 channels', x: [4, 16, 56 * size, 56 * size], w: [32, 16, 3, 3] },
  { what: 'dense 3 x 3, 64 channels', x: [4, 64, 28 * size, 28 * size], w: [64, 64, 3, 3] },
  { what: 'dense 3 x 3, 128 channels, stride 2', x: [4, 128, 28 * size, 28 * size], w: [128, 128, 3, 3], stride: 2 },
  { what: 'depthwise 3 x 3, 64 channels', x: [4, 64, 28 * size, 28 * size], w: [64, 1, 3, 3], groups: 64 },
  { what: 'depthwise 3 x 3, 64 channels, stride 2', x: [4, 64, 28 * size, 28 * size], w: [64, 1, 3, 3], groups: 64, stride: 2 },
  { what: 'grouped 3 x 3, 64 channels in 4', x: [4, 64, 28 * size, 28 * size], w: [64, 16, 3, 3], groups: 4 },
  { what: '3-D 3 x 3 x 3, 32 channels', x: [2, 32, 8, 14 * size, 14 * size], w: [32, 32, 3, 3, 3] },
  { what: '1-D width 3, 512 channels', x: [8, 512, 64 * size], w: [512, 512, 3] },
];
if (values.full) layers.push({ what: '1-D width 3, 2048 -> 512, 750 steps', x: [16, 2048, 750], w: [512, 2048, 3] });

/** The convolution in full, padded by half its kernel, and the shape of its result. */
function attrsOf({ x, w, stride = 1, groups = 1 }: Layer): { attrs: ConvAttrs; out: Shape } {
  const kernel = w.slice(2);
  const [one, half] = [kernel.map(() => 1), kernel.map(k => (k - 1) / 2)];
  const attrs = { kernel, stride: kernel.map(() => stride), dilation: one, before: half, after: half, groups };
  return { attrs, out: [x[0], w[0], ...x.slice(2).map(extent => Math.floor((extent - 1) / stride) + 1)] };
}

/** The input gradient as ONNX's own transposed convolution, which the engine does not use. */
const convTransposeOp: Op<{ layer: Layer }> = {
  name: 'convTranspose',
  infer: ({ layer }, ct) => [{ dtype: ct.dtype, shape: layer.x }],
  lower: (g, inputs, { attrs: { layer } }) => {
    const { attrs, out } = attrsOf(layer);
    const missing = layer.x.slice(2).map((extent, i) => extent - ((out[i + 2] - 1) * attrs.stride[i] + 1));
    return [
      g.node('ConvTranspose', inputs, {
        kernel_shape: { ints: attrs.kernel },
        strides: { ints: attrs.stride },
        pads: { ints: [...attrs.before, ...attrs.after] },
        output_padding: { ints: missing },
        group: { int: attrs.groups },
      }),
    ];
  },
  vjp: zero,
};

console.log('weight gradient: a product for each tap, or one convolution with batch and channels swapped');
for (const layer of layers) {
  const { attrs, out } = attrsOf(layer);
  await compare(
    layer.what,
    ['taps', 'swap'],
    [(ct, x) => [weightGradientByTaps(ct, x, attrs, layer.w)], (ct, x) => [weightGradientBySwap(ct, x, attrs)]],
    isThin(attrs.kernel, layer.w[1]) ? 1 : 0,
    [array(out, 2), array(layer.x, 3)],
  );
}

console.log('input gradient: one convolution for each phase of the stride, or ConvTranspose');
for (const layer of layers) {
  const { attrs, out } = attrsOf(layer);
  await compare(
    layer.what,
    ['phases', 'ConvTranspose'],
    [(ct, w) => [inputGradient(ct, w, attrs, layer.x)], (ct, w) => [apply1(convTransposeOp, [ct, w], { layer })]],
    0,
    [array(out, 2), array(layer.w, 4)],
  );
}
