import type { FewshotConfig } from './config.ts';
import { crossTransformerPreset } from './heads/crossTransformer.ts';
import type { HeadSettings } from './heads/heads.ts';
import type { HyrsmOptions } from './heads/hyrsm.ts';

/** The head of a configuration. @param classes of the training part: the auxiliary classifier has as many outputs */
export function headSettings(config: FewshotConfig, classes: number): HeadSettings {
  const { model, method, loss } = config;
  const { featureDim, frames } = model;
  const hyrsm: HyrsmOptions = {
    featureDim,
    attentionHeads: model.attentionHeads,
    positions: model.positions,
    classes: loss.classification ? classes : 0,
    references: model.references,
    coherence: loss.coherence && {
      window: loss.coherence.window,
      balance: loss.coherence.balance,
      farWeight: loss.coherence.farWeight,
    },
    dropout: model.dropout,
  };
  switch (method) {
    case 'hyrsm++':
    case 'hyrsm':
      return { head: method, ...hyrsm };
    case 'hyrsm++-semi':
      return { head: method, ...hyrsm, ...model.semi, selection: 'all' };
    case 'otam':
      return { head: 'otam', ...model.otam };
    case 'tsn':
      return { head: 'tsn' };
    case 'trx':
      return { head: 'trx', featureDim, frames, ...model.trx };
    case 'crosstransformer':
      return { head: 'crosstransformer', featureDim, ...model.crosstransformer, divisor: crossTransformerPreset.divisor };
    case 'matching':
      return { head: 'matching', metric: model.metric };
  }
}

/** Whether a head learns nothing itself: on features there is nothing to train. */
export function isWithoutParameters({ head }: HeadSettings): boolean {
  return head === 'otam' || head === 'tsn' || head === 'matching';
}
