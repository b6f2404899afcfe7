/** Anything that was thrown as one line, `error: ...`. */
export function errorLine(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return `error: ${message.trim().replace(/\s*[\r\n]+\s*/g, ' ')}`;
}
