/** Files of many containers and codecs, some damaged, against what ffprobe counted. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openVideo } from '../../src/video/decode.ts';

const data = resolve(process.env.INKLING_SHARED ?? '../shared', 'data');
interface Entry {
  readonly file: string;
  readonly ffprobe: { readonly nb_read_frames: string } | null;
}
const media = JSON.parse(readFileSync(join(data, 'media/index.json'), 'utf8')) as Entry[];

/** Files in which FFmpeg meets errors. */
const damaged = new Set([
  'bad_bitflips.mp4',
  'bad_noindex_truncated.avi',
  'bad_truncated.webm',
  'mediabunny_annex-b.mp4',
  'mediabunny_no-aud.ts',
  'mediabunny_no-initial-keyframe.ts',
]);

async function counted(path: string) {
  const warnings: string[] = [];
  const video = await openVideo(path);
  const frames = video.frames({ size: () => [16, 16], onDamage: line => warnings.push(line) });
  let given = 0;
  for (;;) {
    const { done, value } = await frames.next();
    if (done) return { facts: video.facts, frames: value.frames, given, warnings };
    given += value.count;
  }
}

describe('media', () => {
  test.each(media.filter(({ ffprobe }) => ffprobe !== null))('$file', async ({ file, ffprobe }) => {
    const { frames, given, warnings } = await counted(join(data, 'media', file));
    expect(frames).toBe(Number(ffprobe!.nb_read_frames));
    expect(given).toBe(frames);
    expect(warnings.length).toBe(damaged.has(file) ? 1 : 0);
  });

  test.each(media.filter(({ ffprobe }) => ffprobe === null))('$file is no video', async ({ file }) => {
    await expect(counted(join(data, 'media', file))).rejects.toThrow(/: (no video stream in it|expected a video, found .*)$/);
  });

  test('rotation is applied', async () => {
    const { facts } = await openVideo(join(data, 'media/gen_rot90.mp4')).then(async video => {
      await video.close();
      return video;
    });
    expect([facts.rotation, facts.width, facts.height]).toEqual([270, 256, 340]);
  });
});

describe('clips have the frames that their containers state', () => {
  const clips = readdirSync(join(data, 'clips')).filter(name => name.endsWith('.mp4'));
  test.each(clips)('%s', async file => {
    const { facts, frames, warnings } = await counted(join(data, 'clips', file));
    expect([frames, warnings]).toEqual([facts.statedFrames, []]);
  });
});
