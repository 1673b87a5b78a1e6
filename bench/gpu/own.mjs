/** nnc's programs on the GPU: compiled for its limits, imported, created. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile } from '../../dist/compiler/index.js';

export async function moduleOf(code, name) {
  const file = join(mkdtempSync(join(tmpdir(), 'nnc-gpu-')), 'module.mjs');
  writeFileSync(file, code);
  return (await import(pathToFileURL(file).href))[name];
}

/** Compiles for the limits of the adapter. */
export function compilerFor({ limits }) {
  const whole = (bytes) => Math.floor(bytes / 256) * 256;
  const gpu = {
    buffer: whole(limits.maxBufferSize),
    binding: whole(limits.maxStorageBufferBindingSize),
    bindings: limits.maxStorageBuffersPerShaderStage,
    workgroup: whole(limits.maxComputeWorkgroupStorageSize),
  };
  return async (text, only, settings) => {
    const { reports, artifacts } = compile(text, { only, targets: ['wgsl'], gpu, ...settings });
    const errors = reports.filter((r) => r.severity === 'error');
    if (errors.length > 0) throw new Error(errors.map((r) => `${r.code}: ${r.message}`).join('\n'));
    const artifact = artifacts.get(only);
    return {
      artifact,
      plan: artifact.plan,
      kernels: artifact.kernels,
      gpu: await moduleOf(artifact.modules.get('wgsl').javascript, only),
      cpu: () => moduleOf(artifact.javascript, only),
    };
  };
}

/** Dispatches that a program is made of at its present sizes. */
export const dispatches = (net, program) => net.machine.dispatches(program);
