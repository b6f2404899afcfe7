/** All adapters of the FTCL and ACM-Net reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as checkpoints } from './checkpoint.ts';
import { adapters as configuration } from './config.ts';
import { adapters as data } from './data.ts';
import { adapters as sequences } from './dp.ts';
import { adapters as endToEnd } from './endToEnd.ts';
import { adapters as evaluation } from './eval.ts';
import { adapters as inference } from './infer.ts';
import { adapters as losses } from './loss.ts';
import { adapters as models } from './model.ts';
import { adapters as optimizers } from './optim.ts';
import { adapters as trainers } from './train.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [
  ...checkpoints,
  ...configuration,
  ...data,
  ...inference,
  ...evaluation,
  ...optimizers,
  ...models,
  ...sequences,
  ...losses,
  ...trainers,
  ...endToEnd,
];
