/** All adapters of the PSL reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as sampling } from './sampling.ts';
import { adapters as transforms } from './transforms.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [...sampling, ...transforms];
