/** Builds `dist` once before any test: the command-line tests run what a user gets, which starts ten times faster than the source. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export default async function build(): Promise<void> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  // Only what has changed is written, and the record of that is gone when dist is.
  const args = ['-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'];
  await promisify(execFile)(process.execPath, [tsc, ...args], { cwd: root }).catch((error: { readonly stdout?: string }) => {
    throw new Error(`the build failed:\n${error.stdout ?? String(error)}`);
  });
}
