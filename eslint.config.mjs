import js from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'node_modules/', 'runs/', 'phantoms/', 'coverage/', 'docs/api/'] },
  js.configs.recommended,
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'examples/*.mjs'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: ['./tsconfig.lint.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': 'off',
      // One way of indexing where the index is known to be in range, and one way of privacy.
      '@typescript-eslint/non-nullable-type-assertion-style': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector:
            ":matches(PropertyDefinition, MethodDefinition[kind!='constructor'], TSParameterProperty)[accessibility=/private|protected/]",
          message: 'private members are written with #',
        },
      ],
      'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 60, skipComments: true, skipBlankLines: true, IIFEs: false }],
      // Prettier breaks code; comments and strings it leaves as they are. A regular expression cannot be broken.
      'max-len': ['error', { code: 120, ignoreRegExpLiterals: true }],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': 'off',
      // A test is named on its first line, whatever the length, so that it is found by its words.
      'max-len': ['error', { code: 120, ignoreRegExpLiterals: true, ignorePattern: '^\\s*(test|it)\\([\'"]' }],
      'no-restricted-syntax': 'off',
      '@typescript-eslint/no-non-null-asserted-optional-chain': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
    },
  },
  {
    files: ['examples/*.mjs'],
    languageOptions: { globals: globals.node },
    // A program that a reader takes in at one look.
    rules: {
      'max-lines': ['error', { max: 60, skipBlankLines: false, skipComments: false }],
      'max-len': ['error', 120],
    },
  },
  {
    files: ['**/*.cjs', 'scripts/**', 'test/**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: globals.node },
    rules: { 'max-len': ['error', 120] },
  },
);
