/** Videos whose classes differ in the order of the frames alone, and a small experiment on them. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { random } from '../../src/engine/index.ts';
import { type Config, loadConfig } from '../../src/train/config.ts';
import { writeVideo } from '../video/writeVideo.ts';

export const frames = 8;
export const side = 24;

/**
 * A spot on a circle, from any place on it, an eighth of a turn a frame: clockwise, or the very same pictures in the opposite order. No picture, and
 * no set of pictures, tells which.
 */
export async function writeTurn(path: string, seed: number, direction: 'clockwise' | 'anticlockwise'): Promise<void> {
  const [start, red, green, blue] = random.uniform(random.key(seed), [4]).data;
  const pixel = (frame: number, y: number, x: number): [number, number, number] => {
    const t = direction === 'clockwise' ? frame : frames - 1 - frame;
    const angle = 2 * Math.PI * (start + t / frames);
    const [dx, dy] = [x - 11.5 - 7 * Math.cos(angle), y - 11.5 - 7 * Math.sin(angle)];
    return dx * dx + dy * dy < 12 ? [130 + 120 * red, 130 + 120 * green, 130 + 120 * blue] : [20, 20, 20];
  };
  await writeVideo(path, { frames, height: side, width: side, framesPerSecond: 30, pixel });
}

/** Writes `train/` and `test/` with a folder for each direction. */
export async function writeTurns(dir: string, counts: Readonly<Record<'train' | 'test', number>>): Promise<void> {
  for (const [p, [part, count]] of Object.entries(counts).entries()) {
    for (const direction of ['clockwise', 'anticlockwise'] as const) {
      const folder = join(dir, part, direction);
      await mkdir(folder, { recursive: true });
      for (let i = 0; i < count; i++) await writeTurn(join(folder, `${i}.mkv`), 100 * p + i, direction);
    }
  }
}

/** PSL with a small TSM over all eight frames of the videos of a folder. */
export async function turnsConfig(data: string, ...sets: readonly string[]): Promise<Config> {
  const small = [
    `data.dir=${data}`,
    `video.size=${side}`,
    // All eight frames, in their order.
    'video.sampling=interval',
    'video.interval=1',
    'video.training.area=[0.7, 1]',
    'video.training.flip=0',
    'video.training.colour.probability=0',
    'video.backbone.network=resnet18',
    'video.backbone.width=8',
    'video.workers=1',
    'model.hiddenDim=32',
    'model.embeddingDim=16',
    'train.epochs=10',
    'train.batchSize=16',
    'train.learningRate=0.1',
    'train.schedule=cosine',
    'train.threads=1',
    'evaluation.every=10',
    'evaluation.start=9',
  ];
  return (await loadConfig('openset/video', { sets: [...small, ...sets] })).config;
}
