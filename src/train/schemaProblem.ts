import type { z } from 'zod';

/** The first thing that a schema found wrong: the key, what was expected, what was found. */
export function firstProblem({ issues: [{ path, message }] }: z.ZodError): string {
  const key = path.length > 0 ? `${path.map(String).join('.')}: ` : '';
  return (
    key +
    message
      .replace(/^Invalid input: /, '')
      .replace(/, received undefined$/, ', found none')
      .replace(/, received /, ', found ')
  );
}
