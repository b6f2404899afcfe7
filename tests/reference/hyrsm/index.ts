/** All adapters of the HyRSM reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as blocks } from './blocks.ts';
import { adapters as endToEnd } from './endToEnd.ts';
import { adapters as heads } from './heads.ts';
import { adapters as matching } from './matching.ts';
import { adapters as trainLoop } from './trainLoop.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [...blocks, ...endToEnd, ...heads, ...matching, ...trainLoop];
