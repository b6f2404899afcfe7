import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exists } from '../../src/data/files.ts';
import { gitState, parseStatus } from '../../src/train/gitState.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-git-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs git as somebody, without that somebody's own settings. */
function git(folder: string, ...args: readonly string[]): string {
  const identity = ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.org', '-c', 'commit.gpgsign=false'];
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
  return execFileSync('git', [...identity, ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

describe('the state of a repository', () => {
  it('is null where there is none', async () => {
    const plain = join(dir, 'plain');
    await mkdir(plain);
    expect(await gitState(plain)).toBeNull();
    expect(await gitState(join(dir, 'nothing'))).toBeNull();
  });

  it('is null where git is not installed', async () => {
    const before = process.env.PATH;
    try {
      process.env.PATH = join(dir, 'plain');
      expect(await gitState(dir)).toBeNull();
    } finally {
      process.env.PATH = before;
    }
  });

  it('is commit, branch and whether known files were changed', async () => {
    const folder = join(dir, 'repository');
    await mkdir(join(folder, 'below'), { recursive: true });
    git(folder, 'init', '-q', '-b', 'trunk');
    expect(await gitState(folder)).toEqual({ commit: null, branch: 'trunk', dirty: false });
    await writeFile(join(folder, 'known.txt'), 'one');
    git(folder, 'add', 'known.txt');
    git(folder, 'commit', '-q', '-m', 'first');
    const commit = git(folder, 'rev-parse', 'HEAD');
    await writeFile(join(folder, 'unknown.txt'), 'not added');
    const clean = { commit, branch: 'trunk', dirty: false };
    expect(await gitState(folder)).toEqual(clean);
    expect(await gitState(join(folder, 'below'))).toEqual(clean);
    expect(await gitState(folder, { root: true })).toEqual(clean);
    expect(await gitState(join(folder, 'below'), { root: true })).toBeNull();
    await writeFile(join(folder, 'known.txt'), 'another');
    expect(await gitState(folder)).toEqual({ ...clean, dirty: true });
    git(folder, 'checkout', '-q', '--detach');
    expect(await gitState(folder)).toEqual({ commit, branch: null, dirty: true });
  });

  it('is asked for without running what the repository would have run', async () => {
    const folder = join(dir, 'hooked');
    await mkdir(folder);
    git(folder, 'init', '-q', '-b', 'trunk');
    const ran = join(dir, 'ran');
    const script = join(dir, 'script.sh');
    await writeFile(script, `#!/bin/sh\ntouch '${ran}'\n`, { mode: 0o755 });
    git(folder, 'config', 'core.fsmonitor', script);
    await writeFile(join(folder, '.git/hooks/post-index-change'), `#!/bin/sh\ntouch '${ran}'\n`, { mode: 0o755 });
    expect(await gitState(folder)).toEqual({ commit: null, branch: 'trunk', dirty: false });
    expect(await exists(ran)).toBe(false);
    // Otherwise they do run.
    git(folder, 'status');
    expect(await exists(ran)).toBe(true);
  });
});

it('status lines are read', () => {
  const oid = 'a'.repeat(40);
  const header = `# branch.oid ${oid}\n# branch.head main\n# branch.upstream origin/main\n# branch.ab +1 -0\n`;
  expect(parseStatus(header)).toEqual({ commit: oid, branch: 'main', dirty: false });
  expect(parseStatus(`${header}1 .M N... 100644 100644 100644 ${oid} ${oid} file\n`).dirty).toBe(true);
  expect(parseStatus('# branch.oid (initial)\n# branch.head (detached)\n')).toEqual({ commit: null, branch: null, dirty: false });
});
