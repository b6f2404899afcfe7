/** What happens when nobody takes what a command says. */
import { errorLine } from './errors.ts';

/**
 * A result that could not be written (`inkling test RUN > FILE` on a full disk) is an error of one line; a reader that wants no more
 * (`| head`) is none. Work goes on without its messages: a training must not end because its log has no room.
 */
export function surviveOutput(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.stderr.write(`${errorLine(`standard output: cannot be written (${error.message})`)}\n`);
    process.exitCode = 1;
  });
}
