/** Heads in two stages for tests: what a clip's features become by themselves is computed once, however many episodes the clip is in. */
import { expandDims, squeeze, type Tensor } from '../engine/index.ts';
import type { SymbolicParams } from '../nn/index.ts';
import { classMeans, type Shots } from './classMeans.ts';
import type { HeadSettings } from './heads/heads.ts';
import { enrich, type HyrsmOptions, matchLogits, relate } from './heads/hyrsm.ts';
import { relatedDistances } from './heads/relatedDistances.ts';

/** A head as two stages; the second on what the first makes is the head on features, without dropout. */
export interface StagedHead {
  /** Clips `[V, T, D]` -> `[V, T, D]`. */
  readonly embed: (params: SymbolicParams, clips: Tensor) => Tensor;
  /** Embedded supports `[episodes, S, T, D]` and queries `[episodes, Q, T, D]` -> logits `[episodes, Q, N]`. */
  readonly logits: (params: SymbolicParams, support: Tensor, query: Tensor, shots: Shots) => Tensor;
}

/** The stages of a head; undefined for a head that has no first one worth the name. */
export function stagedHead(settings: HeadSettings): StagedHead | undefined {
  if (settings.head !== 'hyrsm' && settings.head !== 'hyrsm++') return undefined;
  const options: HyrsmOptions = settings;
  return {
    embed: (params, clips) => squeeze(enrich(params, expandDims(clips, 0), options), 0),
    logits: (params, support, query, shots) => {
      const references = options.references === 'prototypes' ? classMeans(support, shots, 1) : support;
      const { distances } = relatedDistances(relate(params, references, query, options), null);
      return matchLogits(distances, { support, query, shots }, options);
    },
  };
}
