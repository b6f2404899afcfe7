import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** A process of its own: ONNX Runtime writes past Node's streams, straight to standard error. */
const script = `
import { compile, fromNumbers, take } from './src/engine/index.ts';
const f = compile((x, i) => take(x, i));
try {
  await f(fromNumbers([1, 2, 3], [3]), fromNumbers([7], [1], 'int64'));
} catch (error) {
  console.log('thrown: ' + error.message);
}
`;

describe('a failing run', () => {
  it('is thrown with its reason, and prints nothing of its own', () => {
    const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/^thrown: .*indices element out of data bounds, idx=7 must be within the inclusive range \[-3,2\]/);
    expect(stderr).toBe('');
  });
});

describe('a session', () => {
  it('reports nothing to the makers of the runtime: nothing is stored for it in the home folder', () => {
    const home = mkdtempSync(join(tmpdir(), 'inkling-home-'));
    // Where one of these is set the runtime reports nothing anyway.
    const { CI, ORT_DISABLE_TELEMETRY, XDG_CACHE_HOME, ...env } = process.env;
    try {
      const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
        encoding: 'utf8',
        env: { ...env, HOME: home },
      });
      expect(stdout).toMatch(/^thrown: /);
      expect(readdirSync(home, { recursive: true }).filter(name => /onnxruntime|Microsoft/.test(String(name)))).toEqual([]);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
