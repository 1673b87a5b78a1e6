/**
 * The targets by name. Each makes of one unit's plan and kernels an ES module without imports, with a class named like the unit:
 *
 * - `ts`: readable code that a person can step through, as TypeScript and as JavaScript
 * - `wasm`: WebAssembly SIMD, the same class and calls as `ts`
 * - `wgsl`: WebGPU kernels; the same calls, asynchronous
 * - `auto`: all three in one module, asynchronous; WebGPU where there is any, else WebAssembly, else JavaScript
 */
import type { Origins } from '../graph/origin.ts';
import type { Unit } from '../graph/types.ts';
import type { Kernel, Schedule } from '../kernel/types.ts';
import type { Sources } from '../source/source.ts';
import type { Plan } from '../../runtime/plan.ts';
import { emitAuto } from './auto/emit.ts';
import { emitTypeScript } from './ts/emit.ts';
import { emitWasm } from './wasm/emit.ts';
import type { Tuning } from './wasm/tuning.ts';
import { emitWgsl, type Excess } from './wgsl/emit.ts';
import type { GpuLimits } from './wgsl/layout.ts';

export interface Material {
  readonly unit: Unit;
  readonly plan: Plan;
  readonly kernels: readonly Kernel[];
  /** Of the TypeScript target; the others make their own. */
  readonly schedules: readonly Schedule[];
  readonly origins: Origins;
  readonly sources: Sources;
  /** Of the GPU that is compiled for; what every WebGPU device has if left out. */
  readonly gpu?: GpuLimits;
  /** Products of halves have a form for a GPU's matrix units beside the other. */
  readonly matrices?: boolean;
  /** What was measured to be quicker on WebAssembly. */
  readonly tuning?: Tuning;
  /** WebAssembly takes half the bytes, and some milliseconds to unpack. */
  readonly packed?: boolean;
}

export interface TargetModule {
  /** Null where the target has no TypeScript form. */
  readonly typescript: string | null;
  readonly javascript: string;
  /** Of `javascript`. */
  readonly declarations: string;
  /** Source maps (revision 3, JSON) to the `.nn` files; null where the target makes none. */
  readonly sourceMap: { readonly typescript: string; readonly javascript: string } | null;
  /** What is over the limits of the GPU; then the module is of no use on a device that has no more. */
  readonly excess?: readonly Excess[];
}

export type { Excess, GpuLimits };

const single = {
  ts({ unit, plan, kernels, schedules, origins, sources }: Material): TargetModule {
    const emit = (types: boolean) =>
      emitTypeScript(unit, plan, kernels, schedules, {
        origins,
        sources,
        types,
        file: `${unit.name}.${types ? 'ts' : 'js'}`,
      });
    const [ts, js] = [emit(true), emit(false)];
    return {
      typescript: ts.code,
      javascript: js.code,
      declarations: js.declarations,
      sourceMap: { typescript: ts.sourceMap, javascript: js.sourceMap },
    };
  },
  wasm({ unit, plan, kernels, tuning, packed = false }: Material): TargetModule {
    const options = { packed, ...(tuning === undefined ? {} : { tuning }) };
    const { code, declarations } = emitWasm(unit, plan, kernels, options);
    return { typescript: null, javascript: code, declarations, sourceMap: null };
  },
  wgsl({ unit, plan, kernels, schedules, origins, sources, gpu, matrices = false }: Material): TargetModule {
    const limits = { matrices, ...(gpu === undefined ? {} : { limits: gpu }) };
    const emit = (types: boolean) => emitWgsl(unit, plan, kernels, schedules, { types, origins, sources, ...limits });
    const [ts, js] = [emit(true), emit(false)];
    const { declarations, excess } = js;
    return { typescript: ts.code, javascript: js.code, declarations, sourceMap: null, excess };
  },
} satisfies Record<string, (material: Material) => TargetModule>;

const excessText = ({ what, over, needed, limit, bindings }: Excess): string =>
  over === 'binding'
    ? `${what} takes ${needed} bytes; it is compiled for ${bindings} bindings of at most ${limit}.`
    : `The kernel ${what} uses ${needed} tensors; it is compiled for at most ${limit}.`;

const emitters = {
  ...single,
  auto(material: Material): TargetModule {
    const build = (target: keyof typeof single): string => single[target](material).javascript;
    // What is too large for the GPU runs on what comes next, and says why.
    const { javascript, excess = [] } = single.wgsl(material);
    const reasons = excess.map(excessText);
    const wgsl = reasons.length === 0 ? javascript : { refusal: reasons };
    const builds = { wgsl, wasm: build('wasm'), ts: build('ts') };
    const { code, declarations } = emitAuto(material.plan, builds);
    return { typescript: null, javascript: code, declarations, sourceMap: null };
  },
} satisfies Record<string, (material: Material) => TargetModule>;

/** What a WebAssembly memory can be, less room for what is packed. */
const MOST_BYTES = 2 ** 32 - 2 ** 26;

/** What a target cannot run, in words; null: it runs this plan. */
export function unable(target: Target, plan: Plan): string | null {
  const bytes = plan.arenas.persistent + plan.arenas.work;
  if (target !== 'wasm' || bytes <= MOST_BYTES) return null;
  return `${(bytes / 2 ** 30).toFixed(1)} GiB of memory, and a WebAssembly memory ends at 4 GiB: lower the bounds of its sizes (\`--bound\`), store weights in fewer bytes (\`--weights\`), or split the batch`;
}

export type Target = keyof typeof emitters;

export const targets = Object.keys(emitters) as readonly Target[];

export const emitModule = (target: Target, material: Material): TargetModule => emitters[target](material);
