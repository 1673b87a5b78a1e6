/** The texts inside the compiler are those of `runtime/` and `library/`. `npx vitest run -u` on this file writes them anew. */
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { embedded } from '../../scripts/embed.ts';

const root = resolve(import.meta.dirname, '../..');

it.each(Object.entries(embedded(root)))('%s is fresh', async (path, text) => {
  await expect(text).toMatchFileSnapshot(resolve(root, path));
});
