import { defineConfig } from 'vitest/config';

const common = { testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks' as const };

/**
 * Two projects: `unit` needs nothing but this checkout; `shared` needs the folder of shared data and reference cases
 * (`INKLING_SHARED`, default `../shared`) and fails without it.
 */
export default defineConfig({
  test: {
    globalSetup: 'tests/build.ts',
    projects: [
      { test: { ...common, name: 'unit', include: ['tests/**/*.test.ts'], exclude: ['tests/**/*.shared.test.ts'] } },
      { test: { ...common, name: 'shared', include: ['tests/**/*.shared.test.ts'] } },
    ],
  },
});
