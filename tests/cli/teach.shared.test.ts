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

test('names all other clips rightly, and takes at most two for none of the classes', { timeout: 300_000 }, async () => {
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
    const right = clips.filter(({ input, classes: [best] }) => input.includes(`/${best.label}`));
    expect(right).toHaveLength(14);
    expect(clips.filter(({ isUnknown }) => isUnknown).length).toBeLessThanOrEqual(2);
    expect(taught.rejection.own).toBeLessThan(taught.rejection.other);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
