/** All adapters of the PSL reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as shift } from './shift.ts';
import { adapters as tsm } from './tsm.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [...shift, ...tsm];
