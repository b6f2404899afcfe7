/**
 * `npx tsx bench/msraction3d.ts IN OUT`: makes a feature folder of MSR-Action3D's skeletons, for configs/fewshot/msraction3d. IN has index.json and
 * sequences `[n, 20, 4]` (x, y, z, confidence of each joint). A frame becomes 60 numbers: the joints relative to the hip, in units of the sequence's
 * median distance from hip to neck, so that neither the place nor the size of the person matters. Confidences are left out.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readFeatureIndex } from '../src/data/featureIndex.ts';
import { readArray } from '../src/data/files.ts';
import { DataError } from '../src/data/formats/dataError.ts';
import { encodeNpy } from '../src/data/formats/npy.ts';
import { type NDArray, ndarray } from '../src/engine/index.ts';

const joints = 20;
const hip = 6;
const neck = 2;

/** `[n, 20, 4]` -> `[n, 60]`; undefined if no frame has a person in it. Frames without one are left out. */
function poses({ shape, data }: NDArray, where: string): NDArray<'float32'> | undefined {
  const [n, found, channels] = shape;
  if (shape.length !== 3 || found !== joints || channels < 3 || n === 0)
    throw new DataError(where, `expected a sequence [n, ${joints}, 4], found [${shape}]`);
  const values = data as Float32Array;
  const at = (frame: number, joint: number, axis: number) => values[(frame * joints + joint) * channels + axis];
  const torso = (frame: number) => Math.hypot(...[0, 1, 2].map(axis => at(frame, neck, axis) - at(frame, hip, axis)));
  const tracked = Array.from({ length: n }, (_, frame) => frame).filter(frame => torso(frame) > 0);
  if (tracked.length === 0) return undefined;
  const unit = tracked.map(torso).sort((a, b) => a - b)[Math.floor(tracked.length / 2)];
  const out = new Float32Array(tracked.length * joints * 3);
  let i = 0;
  for (const frame of tracked)
    for (let joint = 0; joint < joints; joint++)
      for (let axis = 0; axis < 3; axis++) out[i++] = (at(frame, joint, axis) - at(frame, hip, axis)) / unit;
  return ndarray('float32', [tracked.length, joints * 3], out);
}

const [from, to] = process.argv.slice(2);
if (to === undefined) throw new Error('usage: tsx bench/msraction3d.ts IN OUT');
const index = await readFeatureIndex(from);
if (!index) throw new DataError(from, 'expected index.json, found none');
await mkdir(to, { recursive: true });
const items: { file: string; label: string }[] = [];
let frames = 0;
let kept = 0;
for (const { file, label } of index.items) {
  const path = join(from, file);
  const sequence = await readArray(path);
  const made = poses(sequence, path);
  frames += sequence.shape[0];
  if (!made) continue;
  kept += made.shape[0];
  await writeFile(join(to, file), encodeNpy(made));
  items.push({ file, label });
}
await writeFile(join(to, 'index.json'), JSON.stringify({ classes: index.classes, items }, null, 1));
console.log(
  `${to}: ${items.length} of ${index.items.length} sequences, ${kept} of ${frames} frames (the others have nobody in them)`,
);
