/** `npm run playground`; `npx vite build playground` makes static files. */
import { resolve } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  resolve: {
    alias: [
      {
        find: /^vscode-languageserver\/browser$/,
        replacement: resolve(import.meta.dirname, '../node_modules/vscode-languageserver/lib/browser/main.js'),
      },
    ],
  },
  server: { fs: { allow: [resolve(import.meta.dirname, '..')] } },
  worker: { format: 'es' },
  build: { target: 'es2023', outDir: 'dist', emptyOutDir: true },
});
