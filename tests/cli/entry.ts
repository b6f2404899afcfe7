import { fileURLToPath } from 'node:url';

/** The command line as users run it; `tests/build.ts` has built it. */
export const entry = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
