import { type FewshotConfig, lossTerms } from './config.ts';
import { crossTransformerPreset } from './heads/crossTransformer.ts';
import type { HeadSettings } from './heads/heads.ts';
import type { HyrsmOptions } from './heads/hyrsm.ts';

/** The head of a configuration. @param classes of the training part: the auxiliary classifier has as many outputs */
export function headSettings(config: FewshotConfig, classes: number): HeadSettings {
  const { model, method } = config;
  const { featureDim, frames } = model;
  const { classification, coherence } = lossTerms(config);
  const hyrsm: HyrsmOptions = {
    featureDim,
    attentionHeads: model.attentionHeads,
    positions: model.positions,
    classes: classification ? classes : 0,
    references: model.references,
    coherence: coherence && { window: coherence.window, balance: coherence.balance, farWeight: coherence.farWeight },
    dropout: model.dropout,
  };
  switch (method) {
    case 'hyrsm++':
    case 'hyrsm':
      return { head: method, ...hyrsm };
    case 'hyrsm++-semi':
      return { head: method, ...hyrsm, ...model.semi, selection: 'all' };
    case 'otam':
      return { head: method, ...model.otam };
    case 'tsn':
      return { head: method };
    case 'trx':
      return { head: method, featureDim, frames, ...model.trx };
    case 'crosstransformer':
      return { head: method, featureDim, ...model.crosstransformer, divisor: crossTransformerPreset.divisor };
    case 'matching':
      return { head: method, metric: model.metric };
  }
}

/** Whether a head learns nothing itself: on features there is nothing to train. */
export function isWithoutParameters({ head }: HeadSettings): boolean {
  return head === 'otam' || head === 'tsn' || head === 'matching';
}
