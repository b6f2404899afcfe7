import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBytes } from '../../src/data/files.ts';
import { parseOnnxModel } from '../../src/data/formats/onnxModel.ts';

const shared = resolve(process.env.INKLING_SHARED ?? '../shared');

describe('parseOnnxModel', () => {
  it('describes MobileNet', async () => {
    const path = join(shared, 'data/backbones/mobilenet_v2_1.0_224.onnx');
    const { inputs, outputs, initializers, operators, opsets } = parseOnnxModel(await readBytes(path), path);
    expect(inputs).toEqual([{ name: 'input', dtype: 'float32', shape: ['N', 3, 224, 224] }]);
    expect(outputs).toEqual([
      { name: 'features', dtype: 'float32', shape: ['N', 1280] },
      { name: 'output', dtype: 'float32', shape: ['N', 1001] },
    ]);
    expect([initializers.length, operators.get('Conv'), opsets.get('')]).toEqual([234, 53, 13]);
    expect(initializers[0]).toEqual({ name: 'w_1', dtype: 'float32', shape: [32, 3, 3, 3], bytes: 3456, external: false });
  });
});
