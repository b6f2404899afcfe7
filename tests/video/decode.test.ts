import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countFrames, type DecodeOptions, openVideo } from '../../src/video/decode.ts';
import { writeVideo } from './writeVideo.ts';

let dir: string;
let clip: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-decode-'));
  clip = join(dir, 'a clip: of 11.mkv');
  await writeVideo(clip, { frames: 11, height: 18, width: 20, framesPerSecond: 10, pixel: (i, y, x) => [10 * i, 5 * y, 7 * x] });
});
afterAll(() => rm(dir, { recursive: true }));

/** Everything a decoding gives. */
async function decoded(path: string, options: DecodeOptions = {}) {
  const batches: { first: number; count: number; height: number; width: number; data: Uint8Array }[] = [];
  const damage: string[] = [];
  const frames = (await openVideo(path)).frames({ ...options, onDamage: line => damage.push(line) });
  for (;;) {
    const { done, value } = await frames.next();
    if (done) return { batches, damage, summary: value };
    batches.push({ ...value, data: value.data.slice() });
  }
}

describe('openVideo', () => {
  test('says what the file says', async () => {
    const video = await openVideo(clip);
    expect(video.facts).toMatchObject({
      codec: 'ffv1',
      width: 20,
      height: 18,
      rotation: 0,
      mirrored: false,
      framesPerSecond: 10,
    });
    expect(video.facts.statedDuration).toBeCloseTo(1.1, 6);
    await video.close();
  });

  test('decodes every frame exactly, in batches', async () => {
    const { batches, summary, damage } = await decoded(clip, { batch: 4 });
    expect(batches.map(({ first, count }) => [first, count])).toEqual([
      [0, 4],
      [4, 4],
      [8, 3],
    ]);
    expect(summary.frames).toBe(11);
    expect(summary.duration).toBeCloseTo(1.1, 6);
    expect(damage).toEqual([]);
    for (const { first, count, data } of batches) {
      for (let i = 0; i < count; i++) {
        const at = ((i * 18 + 7) * 20 + 13) * 3;
        expect([...data.subarray(at, at + 3)]).toEqual([10 * (first + i), 35, 91]);
      }
    }
  });

  test('takes the frames that are asked for', async () => {
    const { batches, summary } = await decoded(clip, { indices: [1, 4, 10] });
    expect(batches[0].count).toBe(3);
    expect([0, 1, 2].map(i => batches[0].data[i * 18 * 20 * 3])).toEqual([10, 40, 100]);
    expect(summary.frames).toBe(11);
    await expect(decoded(clip, { indices: [3, 11] })).rejects.toThrow('expected at least 12 frames, found 11');
    await expect(decoded(clip, { indices: [4, 4] })).rejects.toThrow('expected ascending frame numbers from 0, found 4 at 1');
  });

  test('scales', async () => {
    const { batches } = await decoded(clip, { size: ([height, width]) => [height / 2, width / 2] });
    expect([batches[0].height, batches[0].width, batches[0].data.length]).toEqual([9, 10, 11 * 9 * 10 * 3]);
    // Red is the same everywhere in a frame; green grows evenly.
    expect([...batches[0].data.filter((_, i) => i % 3 === 0)].slice(3 * 90, 4 * 90)).toEqual(Array(90).fill(30));
    expect(Math.abs(batches[0].data[(4 * 10 + 5) * 3 + 1] - 42.5)).toBeLessThanOrEqual(2);
  });

  test('leaves an opened video that is not decoded to its end', async () => {
    const frames = (await openVideo(clip)).frames({ batch: 2 });
    expect((await frames.next()).value).toMatchObject({ first: 0, count: 2 });
    await frames.return({ frames: 0, duration: undefined });
    expect(await countFrames(clip)).toBe(11);
  });

  test('what is no video is one line', async () => {
    const text = join(dir, 'text.mp4');
    await writeFile(text, 'not a video '.repeat(1000));
    const empty = join(dir, 'empty.mp4');
    await writeFile(empty, '');
    const problems = [text, empty, dir, join(dir, 'nothing.mp4')].map(path =>
      openVideo(path).then(
        () => 'opened',
        (error: Error) => error.message.replace(path, 'FILE'),
      ),
    );
    expect(await Promise.all(problems)).toEqual([
      'FILE: expected a video, found a damaged or unknown file (Invalid data found when processing input)',
      'FILE: expected a video, found an empty file',
      'FILE: expected a video file, found a folder',
      'FILE: no such file',
    ]);
  });
});

// Where rows are not padded as libswscale wants them, it writes over their ends.
test.each([340, 334, 322])('every pixel of a width of %i is right, scaled or not', async width => {
  const path = join(dir, `grey${width}.mkv`);
  // Eight stripes of grey.
  const luma = (y: number): number => 16 + 25 * (y >> 3);
  await writeVideo(path, { frames: 2, height: 64, width, isYuv: true, pixel: (_, y) => [luma(y), 128, 128] });
  const [{ data }] = (await decoded(path)).batches;
  const wrong = data.findIndex((found, at) => {
    const y = Math.floor(at / (3 * width)) % 64;
    return Math.abs(found - ((luma(y) - 16) * 255) / 219) > 1;
  });
  expect([data.length, wrong]).toEqual([2 * 64 * width * 3, -1]);

  const [half] = (await decoded(path, { size: ([height]) => [height / 2, width / 2] })).batches;
  const row = (3 * width) / 2;
  const ranges = Array.from({ length: 64 }, (_, y) => half.data.subarray(row * y, row * (y + 1)));
  // Along a row nothing changes.
  expect(ranges.findIndex(values => Math.max(...values) - Math.min(...values) > 1)).toBe(-1);
});
