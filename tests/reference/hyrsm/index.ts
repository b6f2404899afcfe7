/** All adapters of the HyRSM++ reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as accuracy } from './accuracy.ts';
import { adapters as blocks } from './blocks.ts';
import { adapters as config } from './config.ts';
import { adapters as endToEnd } from './endToEnd.ts';
import { adapters as heads } from './heads.ts';
import { adapters as localization } from './localization.ts';
import { adapters as matching } from './matching.ts';
import { adapters as networks } from './networks.ts';
import { adapters as sampling } from './sampling.ts';
import { adapters as shapes } from './shapes.ts';
import { adapters as splits } from './splits.ts';
import { adapters as training } from './training.ts';
import { adapters as trainLoop } from './trainLoop.ts';
import { adapters as transforms } from './transforms.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [
  ...accuracy,
  ...blocks,
  ...config,
  ...endToEnd,
  ...heads,
  ...localization,
  ...matching,
  ...networks,
  ...sampling,
  ...shapes,
  ...splits,
  ...trainLoop,
  ...training,
  ...transforms,
];
