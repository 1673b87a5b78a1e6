/**
 * The command as one module and its chunks: Node opens two files instead of three hundred, and a small `nnc check` takes less than half of the time. Runs after
 * the TypeScript compiler, over what it wrote, and leaves its modules as they are. The parser generator
 * and the command line's package come along, with the notices of their licences; what is loaded on demand does not.
 */
import { build } from 'rolldown';

await build({
  input: 'dist/cli/main.js',
  platform: 'node',
  external: [/^node:/, 'prettier', 'webgpu', /^vscode-languageserver/],
  output: { dir: 'dist/bin', format: 'esm', entryFileNames: 'nnc.js', chunkFileNames: 'chunks/[name].js' },
});
