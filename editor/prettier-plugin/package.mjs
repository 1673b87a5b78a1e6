/** Bundles the plugin with its parser as `dist/index.mjs`, Prettier left out. `node package.mjs [FOLDER]`. */
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const here = import.meta.dirname;
const file = join(process.argv[2] ?? join(here, 'dist'), 'index.mjs');
const bundle = await rolldown({
  input: join(here, 'index.ts'),
  external: [/^prettier/],
  platform: 'node',
  logLevel: 'warn',
});
await bundle.write({ file, format: 'esm', codeSplitting: false });
await bundle.close();
