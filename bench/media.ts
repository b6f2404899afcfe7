/**
 * Frame counts and pixels beside PyAV, whose wheels hold FFmpeg libraries of their own, and counts beside what `ffprobe` found:
 * `tsx bench/media.ts FOLDER [--python python3] [--threads 0]`. FOLDER holds video files and may hold an `index.json` `[{file, ffprobe: {nb_read_frames} | null}]`.
 * Nothing is scaled; every pixel of every frame is compared. What a decoder makes of damaged frames depends on the timing of its threads: with
 * `--threads 1` it does not.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exists } from '../src/data/files.ts';
import { messageOf } from '../src/data/formats/dataError.ts';
import { openVideo } from '../src/video/decode.ts';
import { videoEndings } from '../src/video/videoFiles.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { python: { type: 'string', default: 'python3' }, threads: { type: 'string', default: '0' } },
});
const [folder] = positionals;
const peer = new URL('./pyav/frames.py', import.meta.url).pathname;
const version = spawnSync(values.python, [peer, '--version'], { encoding: 'utf8' });
if (version.status !== 0) throw new Error(`${values.python} has no PyAV: ${version.stderr}`);

interface Comparison {
  readonly frames: number;
  readonly peerFrames: number;
  /** Frames in which any value differs, and the largest difference of a value of 0 to 255. */
  readonly differing: number;
  readonly largest: number;
  readonly warning: string | undefined;
}

async function compare(path: string): Promise<Comparison> {
  const child = spawn(values.python, [peer, path, values.threads], { stdio: ['ignore', 'pipe', 'ignore'] });
  const theirs = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held: Buffer = Buffer.alloc(0);
  /** The next bytes of the peer; fewer at its end. */
  const take = async (bytes: number): Promise<Buffer> => {
    const pieces = [held];
    let length = held.length;
    while (length < bytes) {
      const { done, value } = await theirs.next();
      if (done) break;
      pieces.push(value);
      length += value.length;
    }
    const all = Buffer.concat(pieces);
    held = all.subarray(bytes);
    return all.subarray(0, bytes);
  };
  try {
    let warning: string | undefined;
    const batches = (await openVideo(path)).frames({
      batch: 4,
      threads: Number(values.threads),
      onDamage: line => {
        warning = line;
      },
    });
    let [peerFrames, differing, largest, frameBytes] = [0, 0, 0, 0];
    for (;;) {
      const { done, value } = await batches.next();
      if (done) {
        while ((await take(frameBytes)).length > 0) peerFrames++;
        return { frames: value.frames, peerFrames, differing, largest, warning };
      }
      frameBytes = value.height * value.width * 3;
      for (let i = 0; i < value.count; i++) {
        const [a, b] = [value.data.subarray(i * frameBytes, (i + 1) * frameBytes), await take(frameBytes)];
        if (b.length < frameBytes) continue;
        peerFrames++;
        if (b.equals(a)) continue;
        differing++;
        for (let at = 0; at < frameBytes; at++) largest = Math.max(largest, Math.abs(a[at] - b[at]));
      }
    }
  } finally {
    child.kill();
  }
}

const indexFile = join(folder, 'index.json');
const index = (await exists(indexFile))
  ? (JSON.parse(readFileSync(indexFile, 'utf8')) as { file: string; ffprobe: { nb_read_frames: string } | null }[])
  : readdirSync(folder)
      .filter(file => videoEndings.has(file.slice(file.lastIndexOf('.')).toLowerCase()))
      .map(file => ({ file, ffprobe: undefined }));

console.log(`PyAV with FFmpeg ${version.stdout.trim()}`);
console.log(`${'file'.padEnd(58)}  frames   PyAV  ffprobe  frames that differ  largest`);
for (const { file, ffprobe } of index) {
  const stated = ffprobe === undefined ? '' : (ffprobe?.nb_read_frames ?? '-');
  try {
    const { frames, peerFrames, differing, largest, warning } = await compare(join(folder, file));
    console.log(
      `${file.padEnd(58)}${String(frames).padStart(8)}${String(peerFrames).padStart(7)}${stated.padStart(9)}${String(differing).padStart(20)}${String(largest).padStart(9)}` +
        (warning === undefined ? '' : `  ${warning}`),
    );
  } catch (error) {
    console.log(
      `${file.padEnd(58)}${'-'.padStart(8)}${''.padStart(7)}${stated.padStart(9)}  ${messageOf(error).slice(folder.length)}`,
    );
  }
}
