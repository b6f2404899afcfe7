/**
 * Extraction as a whole: `tsx bench/extract.ts MODEL [FILES...] [--output NAME] [--hours 2] [--fps 5] [--stride 25] [--rounds 2]`. For each file: decoding
 * alone, the model alone, and extraction, by the clock and by processor time. With --hours: resident memory on the way through a made video of that
 * length (needs an `ffmpeg` program).
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBackbone } from '../src/video/backbone.ts';
import { openVideo } from '../src/video/decode.ts';
import { extractFeatures } from '../src/video/extract.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: 'string' },
    hours: { type: 'string', default: '0' },
    fps: { type: 'string' },
    stride: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '2' },
  },
});
const [model, ...files] = positionals;
const backbone = await openBackbone(model, { output: values.output });
const { size, batch, window } = backbone;
const stride = Number(values.stride);
const fps = values.fps === undefined ? undefined : Number(values.fps);
const dir = await mkdtemp(join(tmpdir(), 'inkling-bench-'));

async function least(work: () => Promise<unknown>): Promise<string> {
  let [seconds, busy] = [Infinity, Infinity];
  for (let round = 0; round < Number(values.rounds); round++) {
    const before = process.cpuUsage();
    const start = performance.now();
    await work();
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
    const { user, system } = process.cpuUsage(before);
    busy = Math.min(busy, (user + system) / 1e6);
  }
  return `${seconds.toFixed(2).padStart(10)}${busy.toFixed(2).padStart(10)}`;
}

async function decode(path: string): Promise<void> {
  const frames = (await openVideo(path)).frames({
    size: ([height, width]) =>
      [height, width].map(side => Math.round((side * size) / Math.min(height, width))) as [number, number],
  });
  while (!(await frames.next()).done);
}

async function extract(path: string, onProgress?: () => void): Promise<{ frames: number; rows: number }> {
  const out = join(dir, 'features');
  await rm(out, { recursive: true, force: true });
  return extractFeatures([{ path, name: 'video' }], backbone, { out, stride, fps, onProgress });
}

try {
  if (files.length > 0)
    console.log(`${'seconds, and of processor time:'.padEnd(48)}decoding           model alone         extraction`);
  for (const path of files) {
    const { frames, rows } = await extract(path);
    const pixels = new Uint8Array(batch * window * size * size * 3).fill(100);
    const infer = async () => {
      for (let at = 0; at < rows; at += batch) await backbone.run(pixels, Math.min(batch, rows - at));
    };
    const line = [await least(() => decode(path)), await least(infer), await least(() => extract(path))].join('');
    console.log(`${basename(path).slice(0, 26).padEnd(26)}${String(frames).padStart(6)} frames${line}`);
  }

  const hours = Number(values.hours);
  if (hours > 0) {
    const path = join(dir, 'long.mp4');
    const source = `testsrc=size=160x120:rate=25:duration=${hours * 3600}`;
    spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', source, '-c:v', 'mpeg4', '-q:v', '10', path], { stdio: 'inherit' });
    const memory: number[] = [];
    const start = performance.now();
    const { frames, rows } = await extract(path, () => memory.push(process.memoryUsage().rss / 1e6));
    const shown = Array.from({ length: 9 }, (_, i) => memory[Math.round((i * (memory.length - 1)) / 8)].toFixed(0));
    console.log(
      `${hours} h of video, ${frames} frames, ${rows} rows in ${((performance.now() - start) / 1000).toFixed(0)} s; resident memory on the way (MB): ${shown.join(' ')}`,
    );
  }
} finally {
  await backbone.dispose();
  await rm(dir, { recursive: true });
}
