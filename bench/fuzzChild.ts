/**
 * Tries the inputs of one format from one index to another, for bench/fuzz.ts, which watches it from outside:
 * `tsx bench/fuzzChild.ts FORMAT SEED FROM TO PROGRESS SECONDS`. The index at hand, and how many inputs were accepted and rejected before,
 * stand in the file PROGRESS, so that they are known even when this process is killed. Prints a line of JSON for each finding, and one at the end.
 */
import { openSync, writeSync } from 'node:fs';
import { inputAt, tryInput } from '../tests/fuzz/format.ts';
import { formats } from '../tests/fuzz/formats.ts';
import { cpuLimit, memoryLimit } from './fuzzLimits.ts';

const [name, seedText, fromText, toText, progressPath, secondsText] = process.argv.slice(2);
const format = formats.find(each => each.name === name);
if (!format) throw new Error(`no format is named ${name}`);
const [seed, from, to, seconds] = [seedText, fromText, toText, secondsText].map(Number);
const progress = openSync(progressPath, 'r+');
const state = new BigInt64Array(3);

const report = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const deadline = seconds > 0 ? performance.now() + 1000 * seconds : Number.POSITIVE_INFINITY;
let [accepted, rejected, slowest, slowestIndex] = [0, 0, 0, -1];
let index = from;
for (; index < to && performance.now() < deadline; index++) {
  state.set([BigInt(index), BigInt(accepted), BigInt(rejected)]);
  writeSync(progress, new Uint8Array(state.buffer), 0, state.byteLength, 0);
  const input = inputAt(format, seed, index);
  // Large inputs come first, and are garbage by the time the next is measured.
  if (input.bytes.length > 2 ** 18) (globalThis as { gc?: () => void }).gc?.();
  const resident = process.memoryUsage.rss();
  const before = process.resourceUsage();
  const { outcome, finding } = tryInput(format, input);
  const after = process.resourceUsage();
  if (outcome === 'accepted') accepted++;
  else rejected++;
  const cpu = (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1000;
  if (cpu > slowest) [slowest, slowestIndex] = [cpu, index];
  // A new peak of the process, reached during this input.
  const grown = after.maxRSS > before.maxRSS ? after.maxRSS * 1024 - resident : 0;
  const problems = [
    finding,
    cpu > cpuLimit ? `takes ${Math.round(cpu)} ms of CPU time for ${input.bytes.length} bytes` : undefined,
    grown > memoryLimit(input.bytes.length)
      ? `takes ${Math.round(grown / 2 ** 20)} MB of memory for ${input.bytes.length} bytes`
      : undefined,
  ];
  for (const problem of problems) if (problem !== undefined) report({ index, name: input.name, problem });
}
report({
  done: { inputs: index - from, accepted, rejected, slowest, slowestIndex, peak: process.resourceUsage().maxRSS * 1024 },
});
