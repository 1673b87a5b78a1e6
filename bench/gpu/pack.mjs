/**
 * Everything that the GPU benchmark needs, in one folder to carry to a machine with a GPU and nothing else: the script with the compiler in it, the programs, Node
 * and Dawn's binding of this platform.
 *
 *   node bench/gpu/pack.mjs FOLDER      then, there:      FOLDER/run.sh
 */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const out = resolve(process.argv[2] ?? 'gpu-bench');
mkdirSync(join(out, 'programs'), { recursive: true });

const bundle = await rolldown({ input: join(root, 'bench/gpu/run.mjs'), platform: 'node', external: [/\.node$/] });
await bundle.write({ file: join(out, 'run.mjs'), format: 'esm', codeSplitting: false });
copyFileSync(process.execPath, join(out, 'node'));
chmodSync(join(out, 'node'), 0o755);
const platform = `${process.platform}-${process.arch}`;
const binding = join(root, 'node_modules/webgpu/dist', platform);
for (const name of readdirSync(binding).filter((n) => n.endsWith('.node')))
  copyFileSync(join(binding, name), join(out, 'dawn.node'));
copyFileSync(join(root, 'examples/design/gpt2.nn'), join(out, 'programs/gpt2.nn'));
writeFileSync(
  join(out, 'run.sh'),
  '#!/bin/sh\n# Needs a driver (Vulkan) and its loader, libvulkan.so.1; one of its own may lie beside this file.\ncd "$(dirname "$0")" && LD_LIBRARY_PATH=.:$LD_LIBRARY_PATH exec ./node run.mjs "$@"\n',
  { mode: 0o755 },
);
console.log(`${out}: ${readdirSync(out).join(', ')}`);
