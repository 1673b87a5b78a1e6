/** The GPU that is measured: Dawn from npm in a clone, or the one that lies beside the script in a folder that pack.mjs made. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = dirname(fileURLToPath(import.meta.url));
export const packed = existsSync(join(here, 'dawn.node'));
/** A file of the repository. */
export const file = (path) => (packed ? join(here, 'files', path.replaceAll('/', '-')) : join(here, '../..', path));

export async function openGpu({ backend, adapter }) {
  const { create, globals } = packed ? createRequire(import.meta.url)(join(here, 'dawn.node')) : await import('webgpu');
  // Peers find WebGPU where a page has it.
  Object.assign(globalThis, globals);
  const flags = [`backend=${backend}`, 'disable-dawn-features=timestamp_quantization'];
  if (adapter !== undefined) flags.push(`adapter=${adapter}`);
  // Half precision on NVIDIA's cards is behind a flag of Dawn's; where that is not to be had, without it.
  const open = async (more) => {
    const gpu = create([...flags, ...more]);
    return { gpu, found: await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null) };
  };
  let { gpu, found } = await open(['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia']);
  if (found === null) ({ gpu, found } = await open([]));
  if (found === null) return { gpu, adapter: null };
  const navigator = { gpu, userAgent: 'node', hardwareConcurrency: 1 };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true, writable: true });
  return { gpu, adapter: found };
}

export function tell({ limits, info, features }) {
  console.log(`adapter: ${info.vendor} ${info.architecture} ${info.device} ${info.description}`);
  console.log(`features: ${[...features].sort().join(', ')}`);
  const shown = ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxStorageBuffersPerShaderStage'];
  shown.push('maxComputeWorkgroupStorageSize', 'maxComputeInvocationsPerWorkgroup');
  console.log(`limits: ${shown.map((name) => `${name} ${limits[name]}`).join(', ')}`);
  if (features.has('subgroups')) console.log(`subgroups: ${info.subgroupMinSize} to ${info.subgroupMaxSize} threads`);
  const tiles = info.subgroupMatrixConfigs ?? [];
  if (tiles.length > 0) console.log(`matrix units: ${tiles.length} kinds of tiles`);
}
