/** Anything that was thrown as one line, `error: ...`. */
export function errorLine(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return `error: ${message.trim().replace(/\s*[\r\n]+\s*/g, ' ')}`;
}

/** An error with a line below it: what to do about it. */
export class AdvisedError extends Error {
  /** What to do. */
  readonly advice: string;

  constructor(cause: Error, advice: string) {
    super(cause.message, { cause });
    this.advice = advice;
  }
}
