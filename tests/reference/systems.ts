/** Which adapters run the reference cases of which system. */

import type { Adapter } from './case.ts';
import { adapters as ftcl } from './ftcl/index.ts';
import { adapters as hyrsm } from './hyrsm/index.ts';
import { adapters as psl } from './psl/index.ts';

/** Adapters by the manifest's `system`. */
export const systems: Readonly<Record<string, readonly Adapter[]>> = { ftcl, hyrsm, psl };
