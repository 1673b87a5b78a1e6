/**
 * WebGPU for tests, by Dawn for Node: the null backend (Dawn's real WGSL front end, computes nothing) and, where a Vulkan driver is installed, a device
 * that computes. What is absent is null, with the reason.
 */
import type { GpuDevice, GpuLike } from '../../../runtime/webgpu/api.ts';

export interface Found {
  readonly gpu: GpuLike | null;
  readonly reason: string;
}

interface Dawn {
  readonly create: (options: string[]) => GpuLike;
}

async function dawn(): Promise<Dawn | null> {
  try {
    return (await import('webgpu')) as unknown as Dawn;
  } catch {
    return null;
  }
}

export async function open(options: string[]): Promise<Found> {
  const module = await dawn();
  if (module === null) return { gpu: null, reason: 'the package webgpu is not installed' };
  const gpu = module.create(options);
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (adapter === null)
    return { gpu: null, reason: `no adapter for ${options.join(' ')} (\`eval "$(.ci/vulkan.sh FOLDER)"\` finds one)` };
  return { gpu, reason: '' };
}

export const nullGpu = (): Promise<Found> => open(['backend=null']);
export const realGpu = (): Promise<Found> => open(['backend=vulkan']);

/** Where there are several: the driver that computes fastest and offers most, instead of the one that compiles fastest. */
export async function fastGpu(): Promise<Found> {
  const found = await open(['backend=vulkan', 'adapter=llvmpipe']);
  return found.gpu === null ? realGpu() : found;
}

export async function deviceOf(gpu: GpuLike): Promise<GpuDevice> {
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error('no adapter');
  return adapter.requestDevice();
}

/** What Dawn's front end says of a shader, with the line it means; empty when it is content. */
export async function complaints(device: GpuDevice, code: string): Promise<string[]> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  const [info, error] = await Promise.all([module.getCompilationInfo(), device.popErrorScope()]);
  const lines = code.split('\n');
  const found = info.messages
    .filter((m) => m.type === 'error')
    .map((m) => `${m.lineNum}:${m.linePos} ${m.message}\n    ${lines[m.lineNum - 1] ?? ''}`);
  return found.length === 0 && error !== null ? [error.message] : found;
}

/** The shaders of an emitted module, with the helpers that they name. */
export function shadersOf(code: string): string[] {
  const helpers = new Map([...code.matchAll(/const (wgsl_\w+) = `([^`]*)`;/g)].map((m) => [m[1]!, m[2]!]));
  return [...code.matchAll(/const shader_\d+ = `([^`]*)`;/g)].map((m) =>
    m[1]!.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => helpers.get(name)!),
  );
}

/** On the error stream, so that nobody takes skipped for passed. */
export function skipLoudly(what: string, reason: string): void {
  process.stderr.write(`SKIPPED: ${what}: ${reason}\n`);
}
