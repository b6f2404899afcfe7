/**
 * Something is wrong with the user's data (a file, an annotation, a split), not with the program.
 * The message is one line: the file or key, what was expected, what was found.
 */
export class DataError extends Error {
  override readonly name = 'DataError';

  /**
   * @param where the file, or the place in it, that is wrong
   * @param problem what was expected and what was found
   */
  constructor(where: string, problem: string, options?: ErrorOptions) {
    super(`${where}: ${problem}`.replace(/\s*[\r\n]+\s*/g, ' '), options);
  }
}

/** The message of anything that can be thrown, for wrapping it into a {@link DataError}. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
