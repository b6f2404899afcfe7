/** All adapters of the PSL reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as losses } from './losses.ts';
import { adapters as metrics } from './metrics.ts';
import { adapters as optimizers } from './optim.ts';
import { adapters as sampling } from './sampling.ts';
import { adapters as scores } from './scores.ts';
import { adapters as shift } from './shift.ts';
import { adapters as shuffling } from './shuffle.ts';
import { adapters as transforms } from './transforms.ts';
import { adapters as tsm } from './tsm.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [
  ...losses,
  ...metrics,
  ...optimizers,
  ...sampling,
  ...scores,
  ...shuffling,
  ...transforms,
  ...shift,
  ...tsm,
];
