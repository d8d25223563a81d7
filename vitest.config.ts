import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    // For the smallest machine, two cores: tests of faults wait more than they work, and stores run beside them.
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/helpers/properties.ts'],
          testTimeout: 10_000,
        },
      },
      {
        test: {
          name: 'stores',
          include: ['test/{lua,integration,fault}/**/*.test.ts'],
          setupFiles: ['test/helpers/properties.ts'],
          globalSetup: ['test/helpers/built.ts', 'test/helpers/sharedPostgres.ts'],
          // Nothing should come near: limits that say "it hangs", not "it is slow".
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
