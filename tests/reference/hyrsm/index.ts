/** All adapters of the HyRSM reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as heads } from './heads.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [...heads];
