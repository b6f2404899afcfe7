import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { initTsm, tsmPreset, tsmShapes } from '../../src/backbones/index.ts';
import { random, type Shape, sizeOf } from '../../src/engine/index.ts';

interface Published {
  readonly state_dict_order: string[];
  readonly parameters: { readonly name: string; readonly shape: Shape }[];
  readonly buffers: { readonly name: string; readonly shape: Shape }[];
}

const file = join(resolve(process.env.INKLING_SHARED ?? '../shared'), 'reference/psl/tsm_resnet50_names_shapes.json');

it('TSM-ResNet50 has the names, the order and the shapes of the published model, and its number of values', async () => {
  const published = JSON.parse(await readFile(file, 'utf8')) as Published;
  const backbone = (name: string) => name.startsWith('backbone.');
  const shapes = tsmShapes(tsmPreset);
  expect(Object.keys(shapes)).toEqual(published.state_dict_order.filter(backbone));
  const listed = [...published.parameters, ...published.buffers].filter(({ name }) => backbone(name));
  expect(shapes).toEqual(Object.fromEntries(listed.map(({ name, shape }) => [name, shape])));
  const values = published.parameters.filter(({ name }) => backbone(name)).reduce((n, { name }) => n + sizeOf(shapes[name]), 0);
  expect(values).toBe(23_508_032);

  const params = initTsm(tsmPreset, random.key(1));
  expect(Object.entries(params).map(([name, { shape }]) => [name, shape])).toEqual(Object.entries(shapes));
});
