/** The tests that train long or try everything: `*.slow.test.ts`. `npm run test:slow` runs them, and CI. */
const { testPathIgnorePatterns, ...config } = require('./jest.config.cjs');

module.exports = {
  ...config,
  testMatch: ['**/*.slow.test.ts'],
  testPathIgnorePatterns: testPathIgnorePatterns.filter((each) => !each.includes('slow')),
  testTimeout: 300_000,
};
