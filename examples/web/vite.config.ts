/** `npm run web`. The two headers isolate the page, so that WebAssembly may share its memory among threads. */
import { resolve } from 'node:path';
import { defineConfig } from 'vite';

export const headers: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  server: { headers, fs: { allow: [resolve(import.meta.dirname, '../..')] } },
  preview: { headers },
  worker: { format: 'es' },
  build: { target: 'es2023', outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0 },
});
