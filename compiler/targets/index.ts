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
import type { Plan, PlanStep } from '../../runtime/plan.ts';
import { emitAuto } from './auto/emit.ts';
import { emitTypeScript } from './ts/emit.ts';
import { emitWasm } from './wasm/emit.ts';
import { emitWgsl } from './wgsl/emit.ts';

export interface Material {
  readonly unit: Unit;
  readonly plan: Plan;
  readonly kernels: readonly Kernel[];
  /** Of the TypeScript target; the others make their own. */
  readonly schedules: readonly Schedule[];
  readonly origins: Origins;
  readonly sources: Sources;
}

export interface TargetModule {
  /** Null where the target has no TypeScript form. */
  readonly typescript: string | null;
  readonly javascript: string;
  /** Of `javascript`. */
  readonly declarations: string;
  /** Source maps (revision 3, JSON) to the `.nn` files; null where the target makes none. */
  readonly sourceMap: { readonly typescript: string; readonly javascript: string } | null;
}

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
  wasm({ unit, plan, kernels }: Material): TargetModule {
    const { code, declarations } = emitWasm(unit, plan, kernels);
    return { typescript: null, javascript: code, declarations, sourceMap: null };
  },
  wgsl({ unit, plan, kernels, schedules, origins, sources }: Material): TargetModule {
    const emit = (types: boolean) => emitWgsl(unit, plan, kernels, schedules, { types, origins, sources });
    const [ts, js] = [emit(true), emit(false)];
    return { typescript: ts.code, javascript: js.code, declarations: js.declarations, sourceMap: null };
  },
} satisfies Record<string, (material: Material) => TargetModule>;

const emitters = {
  ...single,
  auto(material: Material): TargetModule {
    const build = (target: keyof typeof single): string => single[target](material).javascript;
    const builds = { wgsl: build('wgsl'), wasm: build('wasm'), ts: build('ts') };
    const { code, declarations } = emitAuto(material.plan, builds);
    return { typescript: null, javascript: code, declarations, sourceMap: null };
  },
} satisfies Record<string, (material: Material) => TargetModule>;

/** What a target cannot run, in words; null: it runs this plan. */
export function unable(target: Target, plan: Plan): string | null {
  const partial = (steps: readonly PlanStep[]): boolean =>
    steps.some((s) => s.kind === 'loop' && (s.until !== undefined || s.limit !== undefined || partial(s.body)));
  if ((target === 'wgsl' || target === 'auto') && plan.leaves.some((leaf) => leaf.stored !== undefined))
    return 'parameters that are stored in fewer bytes: a GPU is given whole numbers of f32 so far';
  const early = Object.values(plan.programs).some((p) => partial(p.steps));
  return (target === 'wgsl' || target === 'auto') && early
    ? 'a loop that may end early (`until`): its rounds are given to the GPU ahead'
    : null;
}

export type Target = keyof typeof emitters;

export const targets = Object.keys(emitters) as readonly Target[];

export const emitModule = (target: Target, material: Material): TargetModule => emitters[target](material);
