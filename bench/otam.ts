/**
 * OTAM's matching of an episode (5-way 1-shot, 5 queries a class, 8 frames: 125 pairs, both directions), forward and backward, from frame distances: the host
 * call and the anti-diagonals in the graph beside PyTorch's eager recursion, and the plain function on arrays beside PyTorch's forward pass.
 * `tsx bench/otam.ts [--python PATH] [--threads 2]`
 */
import { parseArgs } from 'node:util';
import { compile, random, sum, type Tensor, valueAndGrad } from '../src/engine/index.ts';
import { matchingMetrics, type OtamForm, otam } from '../src/fewshot/index.ts';
import { findPython, median, runForJson } from './peer.ts';

const { values } = parseArgs({ options: { python: { type: 'string' }, threads: { type: 'string', default: '2' } } });
const [queries, supports, frames] = [25, 5, 8];
const threads = Number(values.threads);
const rounds = 60;

const python = findPython(values.python);
interface Peer {
  readonly seconds: number[];
  readonly forward: number[];
  readonly version: string;
}
const torch =
  python && runForJson<Peer>(python, ['bench/pytorch/otam.py', ...[queries, supports, frames, threads, rounds].map(String)]);

const distances = random.uniform(random.key(1), [queries, supports, frames, frames]);
const milliseconds: Record<string, number> = {};
for (const form of ['host', 'graph'] as const satisfies readonly OtamForm[]) {
  const step = compile((d: Tensor) => valueAndGrad((x: Tensor) => sum(otam(x, { form })))(d), { threads, name: form });
  milliseconds[`${form}, forward and backward`] = await timed(() => step(distances));
  const { programs } = await step.stats();
  console.error(`${form}: ${programs[0].nodes} nodes in ${programs[0].graphs} graphs`);
  await step.dispose();
}
const scores = new Float64Array(queries * supports);
milliseconds['plain function, forward'] = await timed(() => {
  for (let pair = 0; pair < scores.length; pair++)
    scores[pair] = matchingMetrics.otam.ofPair(distances.data, frames, frames, pair * frames * frames);
});

const eager = torch && { both: 1000 * median(torch.seconds.slice(5)), forward: 1000 * median(torch.forward.slice(5)) };
if (torch && eager)
  console.log(
    `PyTorch ${torch.version}, eager, forward ${eager.forward.toFixed(2)} ms, with backward ${eager.both.toFixed(2)} ms`,
  );
for (const [name, time] of Object.entries(milliseconds)) {
  const times = eager
    ? `, PyTorch takes ${((name.endsWith('backward') ? eager.both : eager.forward) / time).toFixed(1)} times as long`
    : '';
  console.log(`${name.padEnd(28)} ${time.toFixed(3)} ms${times}`);
}

async function timed(run: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return median(times.slice(10));
}
