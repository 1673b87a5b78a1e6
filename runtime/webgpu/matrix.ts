/** Matrix units: whether a device has those that kernels are written for, and the kernels that it is given then. */
import type { GpuAdapter, GpuDevice, GpuInfo } from './api.ts';
import type { GpuProgramTable } from './table.ts';

/** What a device has to be asked for. */
export const MATRIX_FEATURES: readonly string[] = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];

/** Squares of 16 halves, multiplied by subgroups of 32 and no other number. */
function hasUnits(features: GpuDevice['features'], info: GpuInfo | undefined): boolean {
  if (info === undefined || !MATRIX_FEATURES.every((f) => features.has(f))) return false;
  if (info.subgroupMinSize !== 32 || info.subgroupMaxSize !== 32) return false;
  return (info.subgroupMatrixConfigs ?? []).some(
    (c) => c.componentType === 'f16' && c.resultComponentType === 'f32' && c.M === 16 && c.N === 16 && c.K === 16,
  );
}

/** Bytes of workgroup memory that forms for matrix units take; 0 where there are none, or the adapter has no such units. */
export function matrixNeed(table: GpuProgramTable, { features, info, limits }: GpuAdapter): number {
  const bytes = Math.max(0, ...table.kernels.map((k) => k.matrix?.bytes ?? 0));
  return hasUnits(features, info) && bytes <= limits.maxComputeWorkgroupStorageSize ? bytes : 0;
}

/** Each kernel in the form that this device computes best. */
export function kernelsFor(table: GpuProgramTable, device: GpuDevice): GpuProgramTable {
  if (!table.kernels.some((k) => k.matrix !== undefined) || !hasUnits(device.features, device.adapterInfo))
    return table;
  const kernels = table.kernels.map((k) =>
    k.matrix === undefined || k.matrix.bytes > device.limits.maxComputeWorkgroupStorageSize
      ? k
      : { ...k, code: k.matrix.code, passes: k.matrix.passes },
  );
  return { ...table, kernels };
}
