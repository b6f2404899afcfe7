/** Longer messages help nobody: names and values in them come from files, and may be of any length. */
const maxMessage = 1000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacters = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;

/** A text from anywhere as a line for a terminal: line breaks become blanks, other control characters are spelt out, the middle of a long one is left out. */
function shownLine(text: string): string {
  const whole =
    text.length <= maxMessage ? text : `${text.slice(0, (2 * maxMessage) / 5)} ... ${text.slice(text.length - maxMessage / 5)}`;
  const line = whole
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .replace(controlCharacters, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return line.length <= maxMessage ? line : `${line.slice(0, maxMessage - 4)} ...`;
}

/**
 * Something is wrong with the user's data (a file, an annotation, a split), not with the program.
 * The message is one line of at most 1000 characters, fit for a terminal: the file or key, what was expected, what was found.
 */
export class DataError extends Error {
  override readonly name = 'DataError';

  /**
   * @param where the file, or the place in it, that is wrong
   * @param problem what was expected and what was found
   */
  constructor(where: string, problem: string, options?: ErrorOptions) {
    super(shownLine(`${where}: ${problem}`), options);
  }
}

/** The message of anything that can be thrown, for wrapping it into a {@link DataError}. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
