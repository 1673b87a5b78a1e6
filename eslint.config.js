import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['**/dist', '**/out', '**/node_modules', 'test/golden', 'test/fixtures', 'nnc-out', '**/*.generated.ts'] },
  ...tseslint.configs.strict,
  {
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Index access is checked by `noUncheckedIndexedAccess`; an assertion is how a proven index is said.
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-console': 'error',
    },
  },
  { files: ['cli/**', 'bench/**', 'scripts/**', '.ci/**', 'test/**', 'editor/**'], rules: { 'no-console': 'off' } },
);
