/** All adapters of the PSL reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as metrics } from './metrics.ts';
import { adapters as scores } from './scores.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [...metrics, ...scores];
