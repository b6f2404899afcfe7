/**
 * Decoding and scaling beside `ffmpeg -i X -vf scale=... -f rawvideo` on the same files, taking turns, and the memory of a long video:
 * `tsx bench/decode.ts FILES... [--short-side 256] [--rounds 3] [--hours 2]`. Needs an `ffmpeg` program; without FILES only memory is measured.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { shortSideSize } from '../src/video/crops.ts';
import { openVideo } from '../src/video/decode.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'short-side': { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
    hours: { type: 'string', default: '0' },
  },
});
const side = Number(values['short-side']);

interface Pass {
  readonly frames: number;
  readonly seconds: number;
}

async function ours(path: string, onBatch?: (frames: number) => void): Promise<Pass> {
  const start = performance.now();
  const frames = (await openVideo(path)).frames({ size: shown => shortSideSize(shown, side) });
  let sum = 0;
  for (;;) {
    const { done, value } = await frames.next();
    if (done) return { frames: value.frames, seconds: (performance.now() - start) / 1000 };
    // Something looks at the pixels, as a user would.
    sum += value.data[0];
    onBatch?.(value.first + value.count);
    if (sum < 0) throw new Error('unreachable');
  }
}

/** The same by the program; this process reads and drops what it writes. */
async function program(path: string): Promise<Pass> {
  const { facts, close } = await openVideo(path);
  await close();
  const [height, width] = shortSideSize([facts.height, facts.width], side);
  const start = performance.now();
  const args = ['-v', 'quiet', '-nostdin', '-i', path, '-map', '0:v:0', '-fps_mode', 'passthrough'];
  const child = spawn('ffmpeg', [...args, '-vf', `scale=${width}:${height}`, '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let bytes = 0;
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  await new Promise(resolve => child.once('close', resolve));
  return { frames: bytes / (height * width * 3), seconds: (performance.now() - start) / 1000 };
}

const total = { ours: 0, program: 0 };
console.log('file                            frames   ours (s)  ffmpeg (s)  throughput ratio');
for (const path of positionals) {
  const times: { ours: number[]; program: number[] } = { ours: [], program: [] };
  let frames = 0;
  for (let round = 0; round <= Number(values.rounds); round++) {
    const [mine, theirs] = [await ours(path), await program(path)];
    frames = mine.frames;
    if (theirs.frames !== frames) throw new Error(`${path}: ${frames} frames here, ${theirs.frames} by ffmpeg`);
    // The first round warms up.
    if (round === 0) continue;
    times.ours.push(mine.seconds);
    times.program.push(theirs.seconds);
  }
  // The shortest time of each: what else the machine does only ever adds.
  const [a, b] = [Math.min(...times.ours), Math.min(...times.program)];
  total.ours += a;
  total.program += b;
  console.log(
    `${basename(path).padEnd(30)}${String(frames).padStart(8)}${a.toFixed(2).padStart(11)}${b.toFixed(2).padStart(12)}${(b / a).toFixed(2).padStart(18)}`,
  );
}
if (positionals.length > 0) console.log(`together: ${(total.program / total.ours).toFixed(2)} of ffmpeg's throughput`);

const hours = Number(values.hours);
if (hours > 0) {
  const dir = await mkdtemp(join(tmpdir(), 'inkling-bench-'));
  try {
    const path = join(dir, 'long.mp4');
    const source = `testsrc=size=160x120:rate=25:duration=${hours * 3600}`;
    spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', source, '-c:v', 'mpeg4', '-q:v', '10', path], { stdio: 'inherit' });
    const memory: number[] = [];
    const { frames, seconds } = await ours(path, done => {
      if (done % 16_000 === 0) memory.push(process.memoryUsage().rss / 1e6);
    });
    const shown = memory.filter((_, i) => i % Math.ceil(memory.length / 8) === 0).map(value => value.toFixed(0));
    console.log(
      `${hours} h of video, ${frames} frames in ${seconds.toFixed(0)} s; resident memory on the way (MB): ${shown.join(' ')}`,
    );
  } finally {
    await rm(dir, { recursive: true });
  }
}
