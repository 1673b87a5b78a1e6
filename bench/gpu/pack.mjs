/**
 * Everything that the GPU benchmark needs, in one folder to carry to a machine with a GPU and nothing else: the script with the compiler and the peers in it, the programs, and, packed (below 64 MiB in
 * all), Node, Dawn's binding of this platform and ONNX Runtime's module. There it wants a Vulkan driver with its loader, and xz or Python to unpack.
 *
 *   node bench/gpu/pack.mjs FOLDER      then, there:      FOLDER/run.sh
 *
 *   --no-node    without Node: where there is one already
 *
 * Peers are those that are installed here (`npm ci` in bench/).
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'no-node': { type: 'boolean', default: false } },
});
const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const out = resolve(positionals[0] ?? 'gpu-bench');
const packages = join(root, 'bench/node_modules');
mkdirSync(join(out, 'files'), { recursive: true });

// What is not installed is not bundled; the script says so when it is run.
const peers = {
  '@tensorflow/tfjs-backend-webgpu': /^@tensorflow\//,
  '@jax-js/jax': /^@jax-js\//,
  'onnxruntime-web': /^onnxruntime/,
};
const absent = Object.entries(peers).filter(([name]) => !existsSync(join(packages, name)));
const bundle = await rolldown({
  input: join(root, 'bench/gpu/run.mjs'),
  platform: 'node',
  external: [/\.node$/, 'webgpu', '@tensorflow/tfjs-backend-wasm', ...absent.map(([, pattern]) => pattern)],
  logLevel: 'silent',
});
await bundle.write({ file: join(out, 'run.mjs'), format: 'esm', codeSplitting: false });

for (const path of [
  'examples/design/gpt2.nn',
  'examples/design/decode.nn',
  'bench/wasm/programs/gpt.nn',
  'bench/gpu/torch.py',
  'bench/gpu/writer.nn',
])
  copyFileSync(join(root, path), join(out, 'files', path.replaceAll('/', '-')));

const large = [];
const binding = join(root, 'node_modules/webgpu/dist', `${process.platform}-${process.arch}`);
for (const name of readdirSync(binding).filter((n) => n.endsWith('.node')))
  large.push([join(binding, name), 'dawn.node']);
if (!options['no-node']) large.push([process.execPath, 'node']);
const ort = 'ort-wasm-simd-threaded.asyncify.wasm';
if (existsSync(join(packages, 'onnxruntime-web'))) large.push([join(packages, 'onnxruntime-web/dist', ort), ort]);
for (const [from, name] of large) {
  const to = join(out, name);
  copyFileSync(from, to);
  // Without symbols, where there is a tool for it.
  if (name !== ort)
    try {
      execFileSync('strip', ['--strip-unneeded', to], { stdio: 'ignore' });
    } catch {
      // As it is, then.
    }
  execFileSync('xz', ['-6', '-T0', '--force', to]);
}
writeFileSync(
  join(out, 'run.sh'),
  `#!/bin/sh
# Needs a driver (Vulkan) and its loader, libvulkan.so.1; one of its own may lie beside this file.
cd "$(dirname "$0")" || exit 1
for packed in *.xz; do
  file="\${packed%.xz}"
  [ -e "$file" ] && continue
  xz -dk "$packed" 2>/dev/null || python3 -c "import lzma, shutil, sys
with lzma.open(sys.argv[1]) as a, open(sys.argv[2], 'wb') as b: shutil.copyfileobj(a, b)" "$packed" "$file" || { echo "cannot unpack $packed: neither xz nor Python"; exit 1; }
done
node=node
[ -e ./node ] && node=./node && chmod +x ./node
LD_LIBRARY_PATH=.:$LD_LIBRARY_PATH exec $node run.mjs "$@"
`,
  { mode: 0o755 },
);
rmSync(join(out, 'dawn.node'), { force: true });
const names = readdirSync(out);
const bytes = names.reduce((n, name) => n + statSync(join(out, name)).size, 0);
console.log(
  `${out}: ${names.join(', ')}; ${(bytes / 2 ** 20).toFixed(1)} MiB${absent.length > 0 ? `; not installed: ${absent.map(([name]) => name).join(', ')}` : ''}`,
);
