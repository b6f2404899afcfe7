import { describe, expect, it } from 'vitest';
import { encodeSafetensors, parseSafetensors } from '../../src/data/formats/safetensors.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import type { Frames } from '../../src/fewshot/matching/sequenceDistances.ts';
import { learn, type Taught, type TaughtBackbone, taughtRecognizer } from '../../src/fewshot/taught.ts';
import { encodeTaught, isTaught, parseTaught, taughtKey } from '../../src/fewshot/taughtFile.ts';

/** Two frames at these angles, in degrees. */
const turned = (...degrees: number[]): Frames => ({
  data: Float32Array.from(degrees.flatMap(each => [Math.cos((each * Math.PI) / 180), Math.sin((each * Math.PI) / 180)])),
  frames: degrees.length,
  width: 2,
});
const cosine = (degrees: number): number => 1 - Math.cos((degrees * Math.PI) / 180);

const backbone: TaughtBackbone = {
  ...{ path: '/models/m.onnx', sha256: 'ab'.repeat(32), output: 'features', layout: 'nchw', window: 1, size: 224 },
  ...{ shortSide: 256, scale: 1 / 127.5, mean: [1, 1, 1], std: [1, 1, 1] },
};
const taught = learn({
  ...{ name: 'turns', classes: ['low', 'high'], metric: 'bi-mhm', classDistance: 'mean', backbone },
  supports: [
    { file: 'a.npy', label: 0, sequence: turned(0, 0) },
    { file: 'b.npy', label: 1, sequence: turned(90, 90) },
    { file: 'c.npy', label: 0, sequence: turned(20, 20) },
  ],
});

describe('a taught recogniser', () => {
  it('learns its threshold from its clips', () => {
    const { own, other, threshold, source, clips } = taught.rejection;
    // Sums over both sides' two frames.
    expect(own).toBeCloseTo(4 * cosine(20), 6);
    expect(other).toBeCloseTo((4 * cosine(90) + 4 * cosine(70) + (4 * cosine(90) + 4 * cosine(70)) / 2) / 3, 6);
    expect([threshold, source, clips]).toEqual([(own + other) / 2, 'leave-one-out', 2]);
  });

  it('answers with all classes, nearest first, their mean distances and what matched', () => {
    const { classes, isUnknown, match } = taughtRecognizer(taught)(turned(12, 12));
    expect(classes.map(({ label }) => label)).toEqual(['low', 'high']);
    const [low, high] = [2 * cosine(12) + 2 * cosine(8), 4 * cosine(78)];
    expect(classes[0].distance).toBeCloseTo(low, 6);
    expect(classes[1].distance).toBeCloseTo(high, 6);
    expect(classes[0].probability).toBeCloseTo(1 / (1 + Math.exp(low - high)), 6);
    expect(classes[0].probability + classes[1].probability).toBeCloseTo(1, 12);
    expect(isUnknown).toBe(false);
    expect(match.support).toBe(2);
    expect(match.distance).toBeCloseTo(4 * cosine(8), 6);
    expect(match.frameDistances).toHaveLength(4);
    for (const distance of match.frameDistances) expect(distance).toBeCloseTo(cosine(8), 6);
  });

  it('can take the nearest clip of a class in the place of the mean', () => {
    const { supports, ...rest } = taught;
    const nearest = learn({ ...rest, supports, classDistance: 'nearest' });
    expect(nearest.rejection.other).toBeCloseTo((4 * cosine(90) + 2 * 4 * cosine(70)) / 3, 6);
    expect(taughtRecognizer(nearest)(turned(12, 12)).classes[0].distance).toBeCloseTo(4 * cosine(8), 6);
  });

  it('says none of these above the threshold, which can be another', () => {
    const far = turned(180, 180);
    expect(taughtRecognizer(taught)(far).isUnknown).toBe(true);
    expect(taughtRecognizer(taught, 100)(far).isUnknown).toBe(false);
    expect(taughtRecognizer(taught, 0.01)(turned(12, 12)).isUnknown).toBe(true);
  });
});

/** A recogniser's file, its description or features changed. */
function changed(change: (description: Record<string, unknown>) => void, features?: number[]): Uint8Array {
  const { tensors, metadata } = parseSafetensors(whole(encodeTaught(taught)), 'f');
  const description = JSON.parse(metadata[taughtKey]);
  change(description);
  const given = features ? { 'support.features': fromNumbers(features, [3, features.length / 6, 2], 'float32') } : tensors;
  return whole(encodeSafetensors(given, { [taughtKey]: JSON.stringify(description) }));
}
const whole = (pieces: readonly Uint8Array[]): Uint8Array => Buffer.concat(pieces);

describe('the file of a recogniser', () => {
  it('gives the same recogniser back', () => {
    const read = parseTaught(whole(encodeTaught(taught)), 'moves.safetensors');
    expect(read).toEqual(taught);
    const without: Taught = { ...taught, backbone: null };
    expect(parseTaught(whole(encodeTaught(without)), 'f').backbone).toBeNull();
    expect(isTaught(parseSafetensors(whole(encodeTaught(taught)), 'f').metadata)).toBe(true);
    expect(isTaught({ inkling: '{}' })).toBe(false);
  });

  it.each([
    [
      'no description',
      whole(encodeSafetensors({}, {})),
      'm: expected a recogniser that teach wrote, found another .safetensors file',
    ],
    ['another metric', changed(d => Object.assign(d, { metric: 'x' })), /^m: its description: metric: /],
    ['a newer format', changed(d => Object.assign(d, { format: 2 })), /^m: its description: format: /],
    [
      'no features',
      changed(d =>
        Object.assign(d, {
          supports: [
            { file: 'a', label: 0 },
            { file: 'b', label: 1 },
          ],
        }),
      ),
      'm: support.features: expected float32 [2, T, D], found float32 [3, 2, 2]',
    ],
    ['no frames', changed(() => {}, []), 'm: support.features: expected float32 [3, T, D], found float32 [3, 0, 2]'],
    ['NaN', changed(() => {}, [1, 2, 3, 4, Number.NaN, 6]), 'm: support.features: expected numbers, found NaN at element 4'],
    ['a class too many', changed(d => Object.assign(d, { classes: ['low', 'high', 'no'] })), 'm: class "no" has no support'],
    [
      'a label too many',
      changed(d => Object.assign(d, { supports: [0, 1, 5].map(label => ({ file: 'x', label })) })),
      'm: support x: class 5 of 2',
    ],
  ])('%s is one line', (_, file, message) => {
    expect(() => parseTaught(file, 'm')).toThrow(message);
  });
});
