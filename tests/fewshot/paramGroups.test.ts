import { expect, test } from 'vitest';
import { fewshotGroups } from '../../src/fewshot/paramGroups.ts';

test('published groups miss the norms of stem and shortcuts', () => {
  const names: Readonly<Record<string, readonly number[]>> = {
    'head.backbone.0.weight': [64, 3, 7, 7],
    'head.backbone.1.weight': [64],
    'head.backbone.1.bias': [64],
    'head.backbone.4.0.bn1.weight': [64],
    'head.backbone.4.0.downsample.0.weight': [256, 64, 1, 1],
    'head.backbone.4.0.downsample.1.bias': [256],
    'head.temporal_atte_before.norm.weight': [2048],
    'head.temporal_atte.layer_norm.bias': [2048],
    'head.temporal_atte.fc.bias': [2048],
  };
  const undecayed = (grouping: 'published' | 'intended') =>
    Object.keys(names).filter(name => fewshotGroups(grouping)(name, names[name])?.weightDecay === 0);
  const always = ['head.backbone.4.0.bn1.weight', 'head.temporal_atte_before.norm.weight', 'head.temporal_atte.layer_norm.bias'];
  expect(undecayed('published')).toEqual(always);
  expect(undecayed('intended').sort()).toEqual(
    [...always, 'head.backbone.1.weight', 'head.backbone.1.bias', 'head.backbone.4.0.downsample.1.bias'].sort(),
  );
});
