/** What git says of a folder (Node). */
import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { promisify } from 'node:util';

/** The state of a repository. */
export interface GitState {
  /** The full hash; null before the first commit. */
  readonly commit: string | null;
  /** Null where no branch is checked out. */
  readonly branch: string | null;
  /** Whether files that git knows differ from the commit; files it does not know do not count. */
  readonly dirty: boolean;
}

/** Milliseconds. A large repository on a slow disk must not hold up a training. */
const timeout = 2000;

/** No hooks, no file-system monitor (which is a program too), no questions, and no lock that another git would stumble over. */
const quietly = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '--no-optional-locks'] as const;

async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', [...quietly, ...args], {
    cwd: folder,
    timeout,
    killSignal: 'SIGKILL',
    maxBuffer: 64e6,
    env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' },
  });
  return stdout;
}

/**
 * The state of the repository that a folder lies in; null if it lies in none, git is not installed, does not answer within two seconds
 * or refuses to.
 * @param options `root`: the folder itself must be the top of the repository
 */
export async function gitState(folder: string, { root = false }: { readonly root?: boolean } = {}): Promise<GitState | null> {
  try {
    if (root && (await realpath((await git(folder, 'rev-parse', '--show-toplevel')).trimEnd())) !== (await realpath(folder)))
      return null;
    const args = ['status', '--porcelain=v2', '--branch', '--untracked-files=no', '--ignore-submodules=dirty'];
    return parseStatus(await git(folder, ...args));
  } catch {
    return null;
  }
}

/** Reads the output of `git status --porcelain=v2 --branch`. */
export function parseStatus(text: string): GitState {
  const header = (name: string): string => new RegExp(`^# branch\\.${name} (.*)$`, 'm').exec(text)?.[1] ?? '';
  const [commit, branch] = [header('oid'), header('head')];
  return {
    commit: /^[0-9a-f]{40,}$/.test(commit) ? commit : null,
    branch: branch === '' || branch === '(detached)' ? null : branch,
    dirty: /^[^#\n]/m.test(text),
  };
}
