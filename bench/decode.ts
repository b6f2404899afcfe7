/**
 * Decoding and scaling beside `ffmpeg -i X -vf scale=... -f rawvideo` on the same files, taking turns, by the clock and by processor time (which other
 * work on the machine hardly changes), and the memory of a long video:
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
  /** Seconds of processor time. */
  readonly busy: number;
}

async function ours(path: string, onBatch?: (frames: number) => void): Promise<Pass> {
  const start = performance.now();
  const before = process.cpuUsage();
  const frames = (await openVideo(path)).frames({ size: shown => shortSideSize(shown, side) });
  let sum = 0;
  for (;;) {
    const { done, value } = await frames.next();
    if (done) {
      const { user, system } = process.cpuUsage(before);
      return { frames: value.frames, seconds: (performance.now() - start) / 1000, busy: (user + system) / 1e6 };
    }
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
  args.push('-vf', `scale=${width}:${height}`, '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-');
  // The shell says how much processor time the program took.
  const child = spawn('sh', ['-c', 'ffmpeg "$@"; times >&2', 'sh', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [bytes, said] = [0, ''];
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await new Promise(resolve => child.once('close', resolve));
  const seconds = (performance.now() - start) / 1000;
  // Its second line is of the shell's children: user and system, as 0m1.23s.
  const busy = [
    ...said
      .trim()
      .split('\n')
      .at(-1)!
      .matchAll(/(\d+)m([\d.]+)s/g),
  ].reduce((sum, [, minutes, rest]) => sum + 60 * Number(minutes) + Number(rest), 0);
  return { frames: bytes / (height * width * 3), seconds, busy };
}

const total = { ours: 0, program: 0 };
const least = (passes: readonly Pass[], of: 'seconds' | 'busy'): number => Math.min(...passes.map(pass => pass[of]));
const cell = (value: number, width: number): string => value.toFixed(2).padStart(width);
console.log('file                            frames   ours (s)  ffmpeg (s)  throughput ratio   processor (s)  ffmpeg (s)  ratio');
for (const path of positionals) {
  const mine: Pass[] = [];
  const theirs: Pass[] = [];
  for (let round = 0; round <= Number(values.rounds); round++) {
    const [own, other] = [await ours(path), await program(path)];
    if (other.frames !== own.frames) throw new Error(`${path}: ${own.frames} frames here, ${other.frames} by ffmpeg`);
    // The first round warms up.
    if (round === 0) continue;
    mine.push(own);
    theirs.push(other);
  }
  // The least of each: what else the machine does only ever adds.
  const [a, b] = [least(mine, 'seconds'), least(theirs, 'seconds')];
  const [busy, otherBusy] = [least(mine, 'busy'), least(theirs, 'busy')];
  total.ours += a;
  total.program += b;
  console.log(
    `${basename(path).padEnd(30)}${String(mine[0].frames).padStart(8)}${cell(a, 11)}${cell(b, 12)}${cell(b / a, 18)}${cell(busy, 16)}${cell(otherBusy, 12)}${cell(otherBusy / busy, 7)}`,
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
