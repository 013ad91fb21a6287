/**
 * Tests run from TypeScript sources; `npm test` has built the addon and dist/ before jest starts. What takes long is
 * called `*.slow.test.ts` and runs with jest.slow.config.cjs.
 *
 * Two workers, each of which computes in one thread: on two cores that is twice as fast as one worker with two threads,
 * since much of a test is spent outside LibTorch. Set OMP_NUM_THREADS to have it otherwise.
 */
process.env.OMP_NUM_THREADS ??= '1';

module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/leak/', '<rootDir>/test/bench/', '\\.slow\\.test\\.ts$'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs', ignoreDynamic: true },
      },
    ],
  },
  maxWorkers: 2,
  testTimeout: 60_000,
};
