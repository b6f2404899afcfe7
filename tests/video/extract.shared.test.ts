/** Real features of real clips, and of files of many containers and codecs, some of them damaged or no videos. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readFeatureFolder } from '../../src/data/featureFolder.ts';
import { readArray } from '../../src/data/files.ts';
import { openBackbone } from '../../src/video/backbone.ts';
import { extractFeatures } from '../../src/video/extract.ts';
import { findVideos } from '../../src/video/videoFiles.ts';
import { runCli } from '../cli/runCli.ts';

const data = resolve(process.env.INKLING_SHARED ?? '../shared', 'data');
const model = join(data, 'backbones/mobilenet_v2_1.0_224.onnx');
const settings = { output: 'features', scale: 1 / 127.5, mean: [1] };

/** Files in which FFmpeg meets errors. */
const damaged = [
  'bad_bitflips',
  'bad_noindex_truncated',
  'bad_truncated',
  'mediabunny_annex-b',
  'mediabunny_no-aud',
  'mediabunny_no-initial-keyframe',
];

test('every file gives all of its frames or one line, and the run goes on', async () => {
  const out = await mkdtemp(join(tmpdir(), 'inkling-features-'));
  try {
    const media = join(data, 'media');
    const index = JSON.parse(await readFile(join(media, 'index.json'), 'utf8')) as {
      readonly file: string;
      readonly ffprobe: { readonly nb_read_frames: string } | null;
    }[];
    const flags = ['--output', 'features', '--scale', '1/127.5', '--mean', '1', '--stride', '1000'];
    const { code, stdout, stderr } = await runCli(
      ['extract', '--backbone', model, '--videos', media, '--out', out, ...flags],
      out,
    );
    const folder = (await readFeatureFolder(out))!;
    const expected = index.flatMap(({ file, ffprobe }) => (ffprobe ? [[file, Number(ffprobe.nb_read_frames)] as const] : []));
    // A file's name loses its ending unless another has the same without it.
    const twice = new Set(['bad_truncated.mp4', 'bad_truncated.webm']);
    const nameOf = (file: string): string => (twice.has(file) ? file : file.slice(0, file.lastIndexOf('.')));
    expect(folder.items.map(({ file, frames }) => [file, frames]).sort()).toEqual(
      expected.map(([file, frames]) => [`${nameOf(file)}.npy`, frames]).sort(),
    );
    expect(folder.items.every(({ frames, rows }) => rows === Math.ceil(frames / 1000))).toBe(true);
    const warned = folder.items.filter(({ warning }) => warning !== undefined).map(({ file }) => file.split('.')[0]);
    expect(warned.sort()).toEqual(damaged);

    const none = index.filter(({ ffprobe }) => ffprobe === null).map(({ file }) => join(media, file));
    expect(folder.failures!.map(({ video }) => video).sort()).toEqual(none.toSorted());
    // At the end, and with a line each.
    const [head, count, ...lines] = stdout.trim().split('\n');
    expect([code, count]).toEqual([1, `${none.length} gave none:`]);
    expect(head).toMatch(new RegExp(`from ${expected.length} videos$`));
    expect(lines.map(line => line.trim().split(': ')[0]).sort()).toEqual(none.toSorted());
    expect(stderr.match(/^warning: /gm)?.length).toBe(damaged.length + none.length);
    const { shape } = await readArray(join(out, 'gen_prores.npy'));
    expect(shape).toEqual([1, 1280]);
  } finally {
    await rm(out, { recursive: true });
  }
}, 300_000);

test('MobileNetV2 tells typing from exercises', async () => {
  const out = await mkdtemp(join(tmpdir(), 'inkling-features-'));
  const videos = await findVideos(join(data, 'clips'));
  const isTyping = videos.map(({ name }) => name.startsWith('typing'));
  const backbone = await openBackbone(model, settings);
  try {
    const summary = await extractFeatures(videos, backbone, { out, stride: 30 });
    expect(summary).toMatchObject({ done: 20, failures: [], warnings: [] });
    const means = await Promise.all(
      videos.map(async ({ name }) => {
        const { shape, data: values } = await readArray(join(out, `${name}.npy`));
        expect(shape[1]).toBe(1280);
        const mean = Array.from({ length: 1280 }, (_, i) => {
          let sum = 0;
          for (let row = 0; row < shape[0]; row++) sum += Number(values[row * 1280 + i]);
          return sum / shape[0];
        });
        const norm = Math.hypot(...mean);
        return mean.map(value => value / norm);
      }),
    );
    const cosine = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * b[i], 0);
    const agree = means.filter((mean, i) => {
      const others = means.map((other, j) => (i === j ? -1 : cosine(mean, other)));
      return isTyping[others.indexOf(Math.max(...others))] === isTyping[i];
    });
    // The nearest other clip is of the same class.
    expect(agree.length).toBe(20);
  } finally {
    await backbone.dispose();
    await rm(out, { recursive: true });
  }
}, 600_000);
