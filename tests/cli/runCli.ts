/** Runs the command line in a process of its own, as a user does. */
import { spawn } from 'node:child_process';
import { entry } from './entry.ts';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The outcome of `inkling ...args` in a folder.
 * @param under shell code in front of the command, such as `ulimit -f 1; exec` (not on Windows)
 */
export function runCli(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}, under?: string): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const command = [process.execPath, entry, ...args];
    const [program, ...rest] = under === undefined ? command : ['sh', '-c', `${under} "$@"`, 'sh', ...command];
    const child = spawn(program, rest, { cwd, env: { ...process.env, INKLING_DEBUG: '', ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', code => resolve({ code, stdout, stderr }));
  });
}
