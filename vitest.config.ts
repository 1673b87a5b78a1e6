import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/temporary.ts'],
    testTimeout: 60_000,
    // Two cores: one worker each. Numeric suites are compute-bound.
    maxWorkers: 2,
  },
});
