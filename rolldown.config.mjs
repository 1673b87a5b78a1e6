/**
 * The command as one module and its chunks: Node opens two files instead of three hundred, and a small `nnc check` takes less than half of the time. Runs after
 * the TypeScript compiler, over what it wrote, and replaces only `dist/cli/main.js`; the library's modules stay as they are. The parser generator
 * and the command line's package come along, with the notices of their licences; what is loaded on demand does not.
 */
export default {
  input: 'dist/cli/main.js',
  platform: 'node',
  external: [/^node:/, 'prettier', 'webgpu', /^vscode-languageserver/],
  output: { dir: 'dist/cli', format: 'esm', chunkFileNames: 'chunks/[name].js' },
};
