/**
 * FSD and LCS forward and backward alone, at the size of a pair step (16 pairs, 5 and 30 snippets): the anti-diagonals inside the
 * graph beside the host calls. `tsx bench/sequences.ts`
 */
import { add, compile, random, sum, type Tensor, valueAndGrad } from '../src/engine/index.ts';
import { fsdOfSequences, fsdOnHost } from '../src/localization/sequences/fsd.ts';
import { lcs, lcsOnHost } from '../src/localization/sequences/lcs.ts';
import { cosineSimilarity, matchAndGap } from '../src/localization/sequences/similarity.ts';

type Inputs = { p: Tensor; q: Tensor; a: Tensor; b: Tensor };
const key = random.key(1);
const sequences = {
  p: random.normal(random.fold(key, 0), [16, 5, 1024]),
  q: random.normal(random.fold(key, 1), [16, 5, 1024]),
  // All positive: cosines near 0.9, so that the threshold of 0.92 has something to decide.
  a: random.uniform(random.fold(key, 2), [16, 30, 2048]),
  b: random.uniform(random.fold(key, 3), [16, 30, 2048]),
};
const forms: Record<string, (x: Inputs) => Tensor> = {
  'similarities alone': ({ p, q, a, b }) => {
    const { match, gap } = matchAndGap(p, q);
    return add(add(sum(match), sum(gap)), sum(cosineSimilarity(a, b)));
  },
  'anti-diagonals': ({ p, q, a, b }) => add(sum(fsdOfSequences(p, q)), sum(lcs(cosineSimilarity(a, b), 0.75))),
  'host calls': ({ p, q, a, b }) => {
    const { match, gap } = matchAndGap(p, q);
    return add(sum(fsdOnHost(match, gap)), sum(lcsOnHost(cosineSimilarity(a, b), 0.75)));
  },
};
for (const [name, form] of Object.entries(forms)) {
  const step = compile((x: Inputs) => valueAndGrad(form)(x), { threads: 2, name });
  const times: number[] = [];
  for (let i = 0; i < 30; i++) {
    const start = performance.now();
    await step(sequences);
    if (i >= 5) times.push(performance.now() - start);
  }
  const { programs } = await step.stats();
  console.log(
    `${name.padEnd(20)} ${times.sort((x, y) => x - y)[12].toFixed(2)} ms, ${programs[0].nodes} nodes, ${programs[0].graphs} graphs`,
  );
}
