/**
 * Halves in memory, on devices that have them: another plan of memory, in which some buffers take two bytes an element, and kernels whose first line makes their elements such. One artifact serves
 * both kinds of devices.
 */
import type { Plan } from '../plan.ts';
import type { GpuKernel, GpuProgramTable } from './table.ts';

/** What a device has to be asked for. */
export const HALVES_FEATURE = 'shader-f16';

/** The first line of a kernel with elements that may be halves, and what it is where they are. */
const WITHOUT = 'alias Half = f32;\n';
const WITH = 'enable f16;\nalias Half = f16;\n';

/** The program for a device with such features. */
export function programFor(
  plan: Plan,
  table: GpuProgramTable,
  features: { has(name: string): boolean },
): { readonly plan: Plan; readonly table: GpuProgramTable } {
  const { halves } = table;
  if (halves === undefined || !features.has(HALVES_FEATURE)) return { plan, table };
  const small = new Set(halves.buffers);
  const buffers = plan.buffers.map((b, k) => ({
    ...b,
    offset: halves.offsets[k]!,
    bytes: small.has(k) ? Math.ceil(b.bytes / 8) * 4 : b.bytes,
  }));
  const kernels = table.kernels.map((k) =>
    k.code.startsWith(WITHOUT) ? { ...k, code: WITH + k.code.slice(WITHOUT.length) } : k,
  );
  return {
    plan: { ...plan, arenas: halves.arenas, buffers },
    table: { ...table, kernels, calls: { ...table.calls, ...halves.calls }, merged: halves.merged ?? {} },
  };
}

/** The kernels that are called: others lie as on devices with other features. */
export function calledKernels({ kernels, calls, merged }: GpuProgramTable): readonly GpuKernel[] {
  const used = new Set(Object.values(merged ?? {}).flatMap((list) => list.map((m) => m.kernel)));
  for (const list of Object.values(calls))
    for (const k of list) {
      used.add(k);
      const { few } = kernels[k]!;
      if (few !== undefined) used.add(few.kernel);
    }
  return kernels.filter((_, k) => used.has(k));
}
