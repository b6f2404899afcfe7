/** Real features of real clips. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readArray } from '../../src/data/files.ts';
import { openBackbone } from '../../src/video/backbone.ts';
import { extractFeatures } from '../../src/video/extract.ts';
import { findVideos } from '../../src/video/videoFiles.ts';

const data = resolve(process.env.INKLING_SHARED ?? '../shared', 'data');

test('MobileNetV2 tells typing from exercises', async () => {
  const out = await mkdtemp(join(tmpdir(), 'inkling-features-'));
  const videos = await findVideos(join(data, 'clips'));
  const isTyping = videos.map(({ name }) => name.startsWith('typing'));
  const backbone = await openBackbone(join(data, 'backbones/mobilenet_v2_1.0_224.onnx'), {
    output: 'features',
    scale: 1 / 127.5,
    mean: [1],
  });
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
