import { describe, expect, it } from 'vitest';
import { acmLossPresets, phase1LogEpsilon } from '../../src/localization/acmLoss.ts';
import { acmNetPresets } from '../../src/localization/acmNet.ts';
import {
  acmLossOptions,
  acmNetOptions,
  evaluationOptions,
  localizeOptions,
  sequenceLossOptions,
} from '../../src/localization/config.ts';
import { ACTIVITYNET_EVALUATION, THUMOS14_EVALUATION } from '../../src/localization/evaluate.ts';
import { sequenceLossPreset } from '../../src/localization/ftclLoss.ts';
import { ACTIVITYNET_LOCALIZE, THUMOS14_LOCALIZE } from '../../src/localization/localize.ts';
import { smoothMaxGamma } from '../../src/localization/sequences/fsd.ts';
import { lcsThreshold } from '../../src/localization/sequences/lcs.ts';
import { loadLocalizationConfig } from '../../src/train/config.ts';

/** What the published settings are called in TypeScript and in YAML must be the same settings. */
const datasets = [
  { name: 'thumos14', localize: THUMOS14_LOCALIZE, evaluation: THUMOS14_EVALUATION },
  { name: 'activitynet', localize: ACTIVITYNET_LOCALIZE, evaluation: { ...ACTIVITYNET_EVALUATION, average: [0.5, 0.95] } },
] as const;
const phases = [
  { method: 'acm-net', epsilon: { logEpsilon: phase1LogEpsilon } },
  { method: 'ftcl', epsilon: {} },
] as const;

describe.each(datasets)('$name', ({ name, localize, evaluation }) => {
  describe.each(phases)('$method', ({ method, epsilon }) => {
    const resolved = async () => (await loadLocalizationConfig(`localization/${name}/${method}`)).config;

    it('has the network, the losses and the post-processing of the presets', async () => {
      const config = await resolved();
      const network = acmNetPresets[name];
      expect(acmNetOptions(config, network.classes)).toEqual({ ...network, fsdBackground: 'published' });
      expect(config.data.classes).toHaveLength(network.classes);
      expect(acmLossOptions(config)).toEqual({ ...acmLossPresets[name], ...epsilon });
      expect(sequenceLossOptions(config)).toEqual({ ...sequenceLossPreset, contrast: 'difference', zeroRows: 'zero' });
      expect(localizeOptions(config)).toEqual(localize);
    });

    it('is evaluated as the presets say', async () => {
      const { tious, average } = evaluationOptions(await resolved(), []);
      expect({ tious, average }).toEqual(evaluation);
    });
  });
});

describe('the sequence preset', () => {
  it('is what the functions default to', () => {
    expect([sequenceLossPreset.gamma, sequenceLossPreset.lcsThreshold]).toEqual([smoothMaxGamma, lcsThreshold]);
  });
});
