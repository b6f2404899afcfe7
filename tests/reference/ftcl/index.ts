/** All adapters of the FTCL and ACM-Net reference cases. */

import type { Adapter } from '../case.ts';
import { adapters as data } from './data.ts';
import { adapters as evaluation } from './eval.ts';
import { adapters as inference } from './infer.ts';

/** In order of trial: the first adapter that matches a case runs it. */
export const adapters: Adapter[] = [...data, ...inference, ...evaluation];
