import { describe, expect, it } from 'vitest';
import { renameTsm, tsmNaming, tsmPreset, tsmShapes } from '../../src/backbones/index.ts';

const ours = Object.keys(tsmShapes(tsmPreset));
const classifier = ['weight', 'bias'];

/** Our names as the official TSM code writes them. */
const official = [...ours.map(name => name.replace(/^backbone/, 'module')), ...classifier.map(part => `module.new_fc.${part}`)];

/** Our names as MMAction2 writes them: each convolution and its norm together under the convolution's name. */
const mmaction2 = [
  ...ours.map(name =>
    name
      .replace('backbone.base_model.', 'backbone.')
      .replace(/\.downsample\.0\./, '.downsample.conv.')
      .replace(/\.downsample\.1\./, '.downsample.bn.')
      .replace(/\.conv(\d)\./, '.conv$1.conv.')
      .replace(/\.bn(\d)\./, '.conv$1.bn.'),
  ),
  ...classifier.map(part => `cls_head.fc_cls.${part}`),
];

describe('names of TSM checkpoints', () => {
  it('are written as the codes write them', () => {
    expect(official).toContain('module.base_model.layer1.0.conv1.net.weight');
    for (const name of [
      'backbone.conv1.conv.weight',
      'backbone.conv1.bn.running_var',
      'backbone.layer1.0.conv1.conv.net.weight',
      'backbone.layer1.0.conv1.bn.weight',
      'backbone.layer1.0.downsample.conv.weight',
      'backbone.layer4.0.downsample.bn.bias',
    ]) {
      expect(mmaction2).toContain(name);
    }
  });

  it.each([
    ['psl', ours],
    ['tsm', official],
    ['tsm', official.map(name => name.replace('module.', ''))],
    ['mmaction2', mmaction2],
  ] as const)('of the kind %s become ours, all of them, and the classifier is left out', (naming, names) => {
    expect(tsmNaming(names)).toBe(naming);
    const renamed = renameTsm(names, naming);
    expect(renamed.map(({ to }) => to).filter(to => to !== undefined)).toEqual(ours);
    expect(renamed.filter(({ to }) => to === undefined).map(({ from }) => from)).toEqual(names.slice(ours.length));
  });

  it('of other networks are refused, with the name', () => {
    expect(tsmNaming(['conv1.weight', 'fc.weight'])).toBeUndefined();
    expect(() => renameTsm(['backbone.conv1.conv.weight', 'neck.weight'], 'mmaction2')).toThrow(
      'array neck.weight: not a name of a TSM checkpoint of the kind mmaction2',
    );
    expect(() => renameTsm(['backbone.layer1.0.conv1.weight'], 'mmaction2')).toThrow(/layer1\.0\.conv1\.weight/);
  });
});
