/** docs/operations.md is what the records say. Refresh with `-u`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { operationsReference } from '../../scripts/operations.ts';

test('docs/operations.md is fresh', async () => {
  expect(existsSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)))).toBe(true);
  await expect(operationsReference()).toMatchFileSnapshot('../../docs/operations.md');
});
