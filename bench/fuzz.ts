/**
 * `npm run fuzz -- [--format npy,npz,...] [--runs 200000] [--seed 1] [--time SECONDS] [--only INDEX] [--out DIR]`: tries mutated and generated
 * inputs on every reader, each format in a process of its own with a small heap, and prints a table. A crash, a hang, too much
 * memory, an error that is none for users, and success where there should be none are findings; their inputs are written to DIR
 * (default runs/fuzz), and the exit code is 1. `--only` tries one input again; `--time` bounds each format.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Format, inputAt, tryInput } from '../tests/fuzz/format.ts';
import { formats } from '../tests/fuzz/formats.ts';
import { hangLimit, heapMegabytes, residentLimit } from './fuzzLimits.ts';

const { values } = parseArgs({
  options: {
    format: { type: 'string' },
    runs: { type: 'string', default: '200000' },
    seed: { type: 'string', default: '1' },
    time: { type: 'string', default: '0' },
    only: { type: 'string' },
    out: { type: 'string', default: 'runs/fuzz' },
  },
});
/** Ends with one line about the arguments. */
function fail(problem: string): never {
  console.error(`error: ${problem}`);
  process.exit(2);
}

const number = (name: 'runs' | 'seed' | 'time' | 'only'): number => {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 0) fail(`--${name}: expected a whole number, found ${values[name]}`);
  return value;
};
const [runs, seed, time] = [number('runs'), number('seed'), number('time')];

interface Done {
  readonly inputs: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Milliseconds of CPU time, and whose they are. */
  readonly slowest: number;
  readonly slowestIndex: number;
  /** Largest resident size in bytes. */
  readonly peak: number;
}

interface Finding {
  readonly index: number;
  readonly name: string;
  readonly problem: string;
}

interface Part {
  readonly done?: Done;
  readonly findings: readonly Finding[];
  /** Where the process died, if it did, and what it had counted. */
  readonly died?: { readonly index: number; readonly accepted: number; readonly rejected: number; readonly problem: string };
}

/** Resident bytes of a process, where the system says so in a file. */
function residentBytes(pid: number): number {
  try {
    return 1024 * Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Runs a child over indices until it is through, or dies of one. */
function part(format: Format, from: number, to: number, seconds: number): Promise<Part> {
  const folder = mkdtempSync(join(tmpdir(), 'inkling-fuzz-'));
  const progress = join(folder, 'progress');
  writeFileSync(progress, new Uint8Array(new BigInt64Array([BigInt(from), 0n, 0n]).buffer));
  const script = fileURLToPath(new URL('fuzzChild.ts', import.meta.url));
  const settings = [`--max-old-space-size=${heapMegabytes}`, '--expose-gc', '--import', 'tsx'];
  const child: ChildProcess = spawn(
    process.execPath,
    [...settings, script, format.name, ...[seed, from, to].map(String), progress, String(seconds)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  /** Index at hand, accepted, rejected. */
  const state = (): number[] => [0, 8, 16].map(at => Number(readFileSync(progress).readBigInt64LE(at)));
  let [output, errors, killedFor] = ['', '', ''];
  child.stdout!.on('data', chunk => {
    output += chunk;
  });
  child.stderr!.on('data', chunk => {
    errors = `${errors}${chunk}`.slice(-2000);
  });
  const kill = (why: string): void => {
    killedFor = why;
    child.kill('SIGKILL');
  };
  let [last, since] = [-1, performance.now()];
  const watch = setInterval(() => {
    const [at] = state();
    if (at !== last) [last, since] = [at, performance.now()];
    else if (performance.now() - since > hangLimit) kill(`no end after ${hangLimit / 1000} s`);
    if (residentBytes(child.pid!) > residentLimit) kill(`more than ${residentLimit / 2 ** 20} MB of memory`);
  }, 100);
  return new Promise(resolve => {
    child.on('close', (code, signal) => {
      clearInterval(watch);
      const lines = output
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as Finding | { done: Done });
      const done = lines.find((line): line is { done: Done } => 'done' in line)?.done;
      const findings = lines.filter((line): line is Finding => !('done' in line));
      const [index, accepted, rejected] = state();
      rmSync(folder, { recursive: true });
      const why = killedFor || `the process ended with ${signal ?? code}: ${errors.trim().split('\n').slice(-6).join(' ')}`;
      resolve(done ? { done, findings } : { findings, died: { index, accepted, rejected, problem: why } });
    });
  });
}

interface Result extends Done {
  readonly findings: readonly Finding[];
  readonly seconds: number;
}

async function fuzz(format: Format): Promise<Result> {
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  const findings: Finding[] = [];
  let total: Done = { inputs: 0, accepted: 0, rejected: 0, slowest: 0, slowestIndex: -1, peak: 0 };
  for (let from = 0; from < runs && !(time > 0 && seconds() > time); ) {
    const { done, findings: found, died } = await part(format, from, runs, time > 0 ? Math.max(1, time - seconds()) : 0);
    findings.push(...found, ...(died ? [{ index: died.index, name: 'the process died', problem: died.problem }] : []));
    if (done) {
      const slower = done.slowest > total.slowest ? done : total;
      total = {
        inputs: total.inputs + done.inputs,
        accepted: total.accepted + done.accepted,
        rejected: total.rejected + done.rejected,
        slowest: slower.slowest,
        slowestIndex: slower.slowestIndex,
        peak: Math.max(total.peak, done.peak),
      };
      break;
    }
    total = {
      ...total,
      inputs: total.inputs + died!.index + 1 - from,
      accepted: total.accepted + died!.accepted,
      rejected: total.rejected + died!.rejected,
    };
    from = died!.index + 1;
  }
  return { ...total, findings, seconds: seconds() };
}

/** Writes the inputs of findings down, a few of each kind. */
function save(format: Format, findings: readonly Finding[]): void {
  const kinds = new Map<string, number>();
  for (const { index, name, problem } of findings) {
    const kind = problem.replace(/\d+/g, '#').slice(0, 80);
    const before = kinds.get(kind) ?? 0;
    kinds.set(kind, before + 1);
    if (before >= 3) continue;
    mkdirSync(values.out, { recursive: true });
    const path = join(values.out, `${format.name}-${seed}-${index}.bin`);
    writeFileSync(path, inputAt(format, seed, index).bytes);
    console.error(
      `${format.name} ${index} (${name}): ${problem}\n  ${path}; again: npm run fuzz -- --format ${format.name} --seed ${seed} --only ${index}`,
    );
  }
  for (const [kind, count] of kinds) if (count > 3) console.error(`${format.name}: ${count} times: ${kind}`);
}

const columns = ['format', 'inputs', 'accepted', 'rejected', 'seconds', 'slowest ms', 'peak MB', 'findings'];
const row = (cells: readonly (string | number)[]): string =>
  cells.map((cell, i) => (i === 0 ? String(cell).padEnd(14) : String(cell).padStart(11))).join('');

const chosen = values.format === undefined ? formats : formats.filter(({ name }) => values.format!.split(',').includes(name));
if (chosen.length !== (values.format?.split(',').length ?? formats.length)) {
  fail(`--format: expected some of ${formats.map(({ name }) => name).join(',')}, found ${values.format}`);
}
if (values.only !== undefined) {
  for (const format of chosen) {
    const input = inputAt(format, seed, number('only'));
    const start = performance.now();
    console.log(format.name, input.name, `${input.bytes.length} bytes`, tryInput(format, input));
    console.log(`${(performance.now() - start).toFixed(1)} ms`);
  }
} else {
  console.log(`seed ${seed}, ${runs} inputs a format`);
  console.log(row(columns));
  for (const format of chosen) {
    const result = await fuzz(format);
    const { inputs, accepted, rejected, seconds, slowest, peak, findings } = result;
    console.log(
      row([
        format.name,
        inputs,
        accepted,
        rejected,
        seconds.toFixed(0),
        slowest.toFixed(0),
        (peak / 2 ** 20).toFixed(0),
        findings.length,
      ]),
    );
    console.error(
      `${format.name}: the slowest input is ${result.slowestIndex} (${inputAt(format, seed, Math.max(0, result.slowestIndex)).name})`,
    );
    save(format, findings);
    if (findings.length > 0) process.exitCode = 1;
  }
}
