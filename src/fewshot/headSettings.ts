import type { FewshotConfig } from './config.ts';
import { crossTransformerPreset } from './heads/crossTransformer.ts';
import type { HeadSettings } from './heads/heads.ts';
import { type HyrsmOptions, hyrsmPreset } from './heads/hyrsm.ts';
import { trxPreset } from './heads/trx.ts';

/** The head of a configuration. @param classes of the training part: the auxiliary classifier has as many outputs */
export function headSettings(config: FewshotConfig, classes: number): HeadSettings {
  const { model, method, loss } = config;
  const { featureDim, frames, width } = model;
  const hyrsm: HyrsmOptions = {
    featureDim,
    attentionHeads: model.attentionHeads,
    positions: model.position,
    classes: loss.classification ? classes : 0,
    references: model.references,
    coherence: loss.coherence && {
      window: loss.coherence.window,
      balance: loss.coherence.balance,
      farWeight: loss.coherence.farWeight,
    },
    dropout: hyrsmPreset.dropout,
  };
  switch (method) {
    case 'hyrsm++':
    case 'hyrsm':
      return { head: method, ...hyrsm };
    case 'hyrsm++-semi':
      return { head: method, ...hyrsm, ...model.semi, selection: 'all' };
    case 'otam':
      return { head: 'otam', smoothing: model.smoothing };
    case 'tsn':
      return { head: 'tsn' };
    case 'trx':
      return { head: 'trx', featureDim, frames, width, tupleSizes: model.tuples, dropout: trxPreset.dropout };
    case 'cross-transformer':
      return { head: 'crosstransformer', featureDim, width, divisor: crossTransformerPreset.divisor };
  }
}

/** Whether a head learns nothing itself: on features there is nothing to train. */
export function isWithoutParameters({ head }: HeadSettings): boolean {
  return head === 'otam' || head === 'tsn' || head === 'matching';
}
