/** All adapters of the HyRSM++ reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as accuracy } from './accuracy.ts';
import { adapters as sampling } from './sampling.ts';
import { adapters as splits } from './splits.ts';
import { adapters as training } from './training.ts';
import { adapters as transforms } from './transforms.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [...accuracy, ...sampling, ...splits, ...training, ...transforms];
