import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entry } from './entry.ts';
import { runCli } from './runCli.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-train-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const config = 'localization/synthetic/acm-net';

/** Starts a training that goes on until it is stopped; resolves when it trains. */
async function startLongRun(out: string): Promise<{ child: ChildProcess; stderr: () => string }> {
  const sets = ['--set', 'train.epochs=1000000', '--set', 'evaluation.start=999999'];
  const child = spawn(process.execPath, [entry, 'train', config, '--out', out, ...sets], {
    cwd: dir,
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const metrics = join(dir, out, 'metrics.jsonl');
  while ((await readFile(metrics, 'utf8').catch(() => '')) === '') {
    if (child.exitCode !== null) throw new Error(`training ended: ${stderr}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  return { child, stderr: () => stderr };
}

describe('train, test, predict, eval', () => {
  it('go from a configuration to detections on synthetic features', async () => {
    const trained = await runCli(['train', config, '--json'], dir);
    expect(trained.code).toBe(0);
    expect(trained.stderr).toContain('wrote synthetic features to data/synthetic: no real video is behind them\n');
    const summary = JSON.parse(trained.stdout) as {
      run: string;
      epochs: number;
      interrupted: boolean;
      metrics: Record<string, number>;
    };
    expect(summary).toMatchObject({ run: join('runs', 'synthetic-acm-net-0'), epochs: 60, interrupted: false });
    // An untrained model reaches 0.04.
    expect(summary.metrics['mAP@0.1:0.7']).toBeGreaterThan(0.5);

    const tested = await runCli(['test', summary.run, '--json'], dir);
    expect(tested.code).toBe(0);
    const test = JSON.parse(tested.stdout) as { average: { range: string; value: number } };
    expect(test.average).toEqual({ range: '0.1:0.7', value: summary.metrics['mAP@0.1:0.7'] });

    const predicted = await runCli(['predict', summary.run, 'data/synthetic/test', '--out', 'detections.json', '--json'], dir);
    expect(predicted.code).toBe(0);
    expect(JSON.parse(predicted.stdout)).toMatchObject({ file: 'detections.json', videos: 12 });
    const args = ['--detections', 'detections.json', '--ground-truth', 'data/synthetic/gt.json', '--json'];
    const evaluated = await runCli(['eval', 'localization', ...args], dir);
    const { average } = JSON.parse(evaluated.stdout) as { average: { range: string; value: number } };
    expect(average.range).toBe('0.1:0.7');
    expect(average.value).toBeCloseTo(test.average.value, 9);
  });

  it('refuses a run folder that is used, and chooses a new name by itself', async () => {
    const short = ['train', config, '--set', 'train.epochs=1'];
    const used = await runCli([...short, '--out', 'runs/synthetic-acm-net-0'], dir);
    expect(used.code).toBe(1);
    expect(used.stderr).toMatch(/^error: runs\/synthetic-acm-net-0: .*--resume.*\n$/);
    const fresh = await runCli([...short, '--json'], dir);
    expect(JSON.parse(fresh.stdout)).toMatchObject({ run: 'runs/synthetic-acm-net-0-2', epochs: 1 });
  });

  it('names the extractor that a video needs', async () => {
    await writeFile(join(dir, 'clip.mp4'), '');
    const { code, stdout, stderr } = await runCli(['predict', 'runs/synthetic-acm-net-0', 'clip.mp4', '--json'], dir);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: clip\.mp4: .*none \(synthetic features\).*\n$/);
  });
});

describe('a stopped training', () => {
  it('leaves a resumable run after an interrupt, and says how', async () => {
    const { child, stderr } = await startLongRun('interrupted');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(code).toBe(130);
    expect(stderr()).toMatch(/go on with: inkling train --resume interrupted\n$/);
  });

  it.skipIf(process.platform !== 'linux')('leaves no process behind after kill -9', async () => {
    const { child } = await startLongRun('killed');
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
    const training = Number(children.trim().split(' ')[0]);
    expect(training).toBeGreaterThan(0);
    child.kill('SIGKILL');
    // A process that has ended but was not yet waited for is a zombie, Z.
    const runs = async () => {
      const stat = await readFile(`/proc/${training}/stat`, 'utf8').catch(() => undefined);
      return stat !== undefined && !/\) [ZX] /.test(stat);
    };
    const deadline = Date.now() + 20_000;
    while ((await runs()) && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 50));
    expect(await runs()).toBe(false);
  });
});
