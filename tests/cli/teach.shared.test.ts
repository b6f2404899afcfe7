/** Real clips: two actions taught by three clips each, and asked of the other fourteen. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { loadTaught, recognizeTaught, teach, writeTaught } from '../../src/train/teach.ts';

const data = resolve(process.env.INKLING_SHARED ?? '../shared', 'data');
const backbone = { path: join(data, 'backbones/mobilenet_v2_1.0_224.onnx'), output: 'features', scale: 1 / 127.5, mean: [1] };
const classes = [
  { name: 'typing', clips: ['typing1', 'typing10', 'typing23'] },
  { name: 'doing_exercises', clips: ['doing_exercises1', 'doing_exercises13', 'doing_exercises14'] },
];

test('every other clip that is accepted is named rightly, and at most two are not; strange videos are none of the classes', {
  timeout: 300_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'inkling-taught-'));
  try {
    const at = (name: string): string => join(data, 'clips', `${name}.mp4`);
    const lessons = classes.map(({ name, clips }) => ({ name, files: clips.map(at) }));
    const taught = await teach('actions', lessons, { backbone });
    await writeTaught(join(dir, 'actions.safetensors'), taught);
    const read = await loadTaught(join(dir, 'actions.safetensors'));
    expect(read).toEqual(taught);
    const known = new Set(lessons.flatMap(({ files }) => files));
    const others = (await readdir(join(data, 'clips'))).map(name => join(data, 'clips', name)).filter(file => !known.has(file));
    expect(others).toHaveLength(14);
    const { clips, failures } = await recognizeTaught(read, others);
    expect(failures).toEqual([]);
    const isRight = ({ input, classes: [best] }: (typeof clips)[number]): boolean => input.includes(`/${best.label}`);
    expect(clips.filter(isRight).length).toBeGreaterThanOrEqual(13);
    const accepted = clips.filter(({ isUnknown }) => !isUnknown);
    expect(accepted.length).toBeGreaterThanOrEqual(12);
    expect(accepted.every(isRight)).toBe(true);
    // Videos of something else: a cartoon, test pictures, hands.
    const media = ['gen_vp9.webm', 'mediabunny_video-h265.mp4', 'mmaction2_tests_data_test.avi'].map(name =>
      join(data, 'media', name),
    );
    const strangers = await recognizeTaught(read, media);
    expect(strangers.clips.map(({ isUnknown }) => isUnknown)).toEqual([true, true, true]);
    expect(taught.rejection.own).toBeLessThan(taught.rejection.other);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
