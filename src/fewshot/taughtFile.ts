/** Taught recognisers as files: one `.safetensors` with the supports' features, and in its metadata all the rest. Pure. */
import { z } from 'zod';
import { DataError } from '../data/formats/dataError.ts';
import { parseJson } from '../data/formats/json.ts';
import { encodeSafetensors, parseSafetensors } from '../data/formats/safetensors.ts';
import { ndarray, showShape } from '../engine/ndarray.ts';
import { classDistances } from './classDistance.ts';
import { type MetricName, matchingMetrics } from './matching/metrics.ts';
import type { Taught } from './taught.ts';

/** Key of the metadata that a recogniser describes itself under. */
export const taughtKey = 'inklingRecognizer';

const numbers = z.array(z.number()).length(3);
const positiveInteger = z.int().positive();
const schema = z.object({
  format: z.literal(1),
  name: z.string().min(1),
  classes: z.array(z.string().min(1)).min(2),
  metric: z.enum(Object.keys(matchingMetrics) as [MetricName, ...MetricName[]]),
  classDistance: z.enum(classDistances),
  supports: z.array(z.object({ file: z.string(), label: z.int().min(0) })).min(2),
  rejection: z.object({
    threshold: z.number(),
    own: z.number(),
    other: z.number(),
    source: z.enum(['leave-one-out', 'views']),
    clips: positiveInteger,
  }),
  backbone: z
    .object({
      path: z.string().min(1),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      output: z.string(),
      layout: z.string(),
      window: positiveInteger,
      size: positiveInteger,
      shortSide: positiveInteger,
      scale: z.number(),
      mean: numbers,
      std: numbers,
    })
    .nullable(),
});

/** Whether the metadata of a `.safetensors` file is that of a recogniser. */
export function isTaught(metadata: Readonly<Record<string, string>>): boolean {
  return metadata[taughtKey] !== undefined;
}

/** A recogniser as the pieces of its file: `support.features` float32 `[clips, T, D]`. */
export function encodeTaught({ name, classes, metric, classDistance, supports, rejection, backbone }: Taught): Uint8Array[] {
  const [{ frames, width }] = supports.map(({ sequence }) => sequence);
  const data = new Float32Array(supports.length * frames * width);
  for (const [i, { sequence }] of supports.entries()) data.set(sequence.data, i * frames * width);
  const described: z.infer<typeof schema> = {
    format: 1,
    name,
    classes: [...classes],
    metric,
    classDistance,
    supports: supports.map(({ file, label }) => ({ file, label })),
    rejection: { ...rejection },
    backbone: backbone && { ...backbone, mean: [...backbone.mean], std: [...backbone.std] },
  };
  return encodeSafetensors(
    { 'support.features': ndarray('float32', [supports.length, frames, width], data) },
    { [taughtKey]: JSON.stringify(described) },
  );
}

/**
 * The reverse of {@link encodeTaught}.
 * @throws DataError naming the file and what is wrong: no recogniser, a description or features that do not fit each other
 */
export function parseTaught(file: Uint8Array, where: string): Taught {
  const { tensors, metadata } = parseSafetensors(file, where);
  const text = metadata[taughtKey];
  if (text === undefined) throw new DataError(where, 'expected a recogniser that teach wrote, found another .safetensors file');
  const parsed = schema.safeParse(parseJson(text, `${where}: its description`));
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new DataError(where, `its description: ${path.join('.')}: ${message}`);
  }
  const { format: _, supports, ...described } = parsed.data;
  const features = tensors['support.features'];
  const isFitting = features?.dtype === 'float32' && features.shape.length === 3 && features.shape[0] === supports.length;
  if (!isFitting || features.data.length === 0)
    throw new DataError(
      where,
      `support.features: expected float32 [${supports.length}, T, D], found ${features ? `${features.dtype} ${showShape(features.shape)}` : 'none'}`,
    );
  const data = features.data as Float32Array;
  const strange = data.findIndex(value => !Number.isFinite(value));
  if (strange >= 0)
    throw new DataError(where, `support.features: expected numbers, found ${data[strange]} at element ${strange}`);
  const { classes } = described;
  const taught = new Set(supports.map(({ label }) => label));
  const without = classes.findIndex((_, label) => !taught.has(label));
  if (without >= 0) throw new DataError(where, `class ${JSON.stringify(classes[without])} has no support`);
  const beyond = supports.find(({ label }) => label >= classes.length);
  if (beyond) throw new DataError(where, `support ${beyond.file}: class ${beyond.label} of ${classes.length}`);
  const [, frames, width] = features.shape;
  const size = frames * width;
  return {
    ...described,
    supports: supports.map((support, i) => ({
      ...support,
      sequence: { data: data.subarray(i * size, (i + 1) * size), frames, width },
    })),
  };
}
