/** The version of this package (Node). */
import { readFileSync } from 'node:fs';

/** The version that `package.json` states. */
export function packageVersion(): string {
  const description: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (description as { version: string }).version;
}
