/**
 * The recipe: one call a stage, from a checked program to artifacts. Each stage prints and verifies; here they only meet.
 */
import type { CheckResult } from './check/check.ts';
import type { Program } from './check/program.ts';
import { problem, type Problem } from './diagnostics/problem.ts';
import { elaborate } from './elaborate/elaborate.ts';
import { KernelCache } from './fuse/cache.ts';
import { NOMINAL } from './fuse/cost.ts';
import { partialUpdates } from './fuse/partial.ts';
import { rowUpdates } from './fuse/rows.ts';
import { fuse } from './fuse/program.ts';
import { LEAST, type StreamOptions } from './fuse/stream.ts';
import type { Origins } from './graph/origin.ts';
import { print as printGraph } from './graph/print.ts';
import type { Graph, ProgramName, Unit } from './graph/types.ts';
import { kernelsOf, printProgram } from './kernel/print.ts';
import type { Kernel, KernelProgram, Schedule } from './kernel/types.ts';
import { plan as planMemory } from './plan/plan.ts';
import { requestsOf } from './plan/requested.ts';
import type { Recomputation } from './plan/within.ts';
import { simplify } from './simplify/simplify.ts';
import { chooseStorage, IDLE, type StoredAs } from './store/choice.ts';
import { scalesOf, StorageRewriter } from './store/rewrite.ts';
import { hasWgslSchedule } from './schedule/wgsl.ts';
import { NARROW } from './schedule/wgsl-stream.ts';
import { userSpan } from './targets/wgsl/emit.ts';
import { GUARANTEED } from './targets/wgsl/layout.ts';
import { emitModule, unable, type GpuLimits, type Target, type TargetModule } from './targets/index.ts';
import type { Tuning } from './targets/wasm/tuning.ts';
import type { Plan } from '../runtime/plan.ts';

/** Called after each stage: its name, and what it made as text, printed only when asked. */
export type Trace = (stage: string, print: () => string) => void;

/** A model or train block, compiled. */
export interface Artifact {
  readonly name: string;
  readonly kind: Unit['kind'];
  readonly unit: Unit;
  /** After simplification. */
  readonly graphs: ReadonlyMap<ProgramName, Graph>;
  readonly kernelPrograms: ReadonlyMap<ProgramName, KernelProgram>;
  readonly kernels: readonly Kernel[];
  readonly schedules: readonly Schedule[];
  readonly plan: Plan;
  /** Programs that compute values again so as to take less memory. */
  readonly recomputations: readonly Recomputation[];
  /** The emitted modules, by target: the wanted ones, `ts` always. */
  readonly modules: ReadonlyMap<Target, TargetModule>;
  /** The `ts` target's: an ES module without imports that passes `tsc --strict`, and the same as JavaScript with its declarations. */
  readonly typescript: string;
  readonly javascript: string;
  readonly declarations: string;
  /** Source maps (revision 3, JSON) of `typescript` and `javascript` to the `.nn` files. */
  readonly sourceMap: { readonly typescript: string; readonly javascript: string };
  readonly origins: Origins;
  /** Measured choices that it was compiled with. */
  readonly tuning?: Tuning;
}

export interface BuildOptions {
  readonly only?: string;
  readonly bounds?: Readonly<Record<string, number>>;
  readonly fuse?: boolean;
  readonly reuse?: boolean;
  /** Matrices from so many elements on that are only reduced are not stored; false: all are. Default: 4 Mi. */
  readonly stream?: number | false;
  /** Bytes that a unit may take, or as few as there is a way to. */
  readonly memory?: number | 'least';
  readonly expose?: readonly string[];
  readonly targets?: readonly Target[];
  /** Rules of `store/choice.ts`, checked already. */
  readonly weights?: readonly string[];
  readonly gpu?: Partial<GpuLimits>;
  /** Products of halves (`precision f16`) have a form for a GPU's matrix units, too. */
  readonly matrices?: boolean;
  readonly tuning?: Tuning;
  /** See `CompileOptions`. */
  readonly packed?: boolean;
  readonly trace?: Trace;
}

export interface Built {
  readonly artifacts: ReadonlyMap<string, Artifact>;
  readonly problems: readonly Problem[];
}

/** The readable module is there always, and made when it is first asked for: a seventh of the time of a large program. */
class Modules extends Map<Target, TargetModule> {
  private readonly ts: () => TargetModule;

  constructor(ts: () => TargetModule) {
    super();
    this.ts = ts;
  }

  override get(target: Target): TargetModule | undefined {
    if (target === 'ts' && !super.has('ts')) this.set('ts', this.ts());
    return super.get(target);
  }

  override has(target: Target): boolean {
    return target === 'ts' || super.has(target);
  }
}

export function build(program: Program, checked: CheckResult, options: BuildOptions = {}): Built {
  const trace: Trace = options.trace ?? (() => undefined);
  const elaborated = elaborate(program, { ...options, scanAxes: checked.scanAxes });
  const { origins } = elaborated;
  trace('elaborate', () => printUnits(elaborated.units));
  const artifacts = new Map<string, Artifact>();
  const problems = [...elaborated.problems];
  const shared = batchBounds(elaborated.units);
  const rules = options.weights ?? [];
  const idle = new Set(rules);
  for (const unit of elaborated.units) {
    const choice = chooseStorage(unit, rules);
    for (const rule of rules) if (!choice.unused.includes(rule)) idle.delete(rule);
    problems.push(...choice.problems);
    const { stored } = choice;
    const graphs = mapPrograms(unit.programs, (graph) => simplify(unstored(graph, stored), origins));
    trace(`${unit.name}: simplify`, () => [...graphs.values()].map((g) => printGraph(g)).join('\n'));

    const cache = new KernelCache();
    const bounds = new Map([...shared, ...Object.entries(options.bounds ?? {})]);
    const streaming = streamOptions(unit, bounds, options);
    const narrowed: Parameters<typeof partialUpdates>[1] = new Map();
    // On a GPU a scatter is a kernel of its own kind.
    const byRows = options.fuse !== false && !onGpu(options.targets);
    const fuseAll = (streaming: StreamOptions | null): Map<ProgramName, KernelProgram> =>
      mapPrograms(graphs, (graph) => {
        const stream = streaming === null ? {} : { stream: streaming };
        const made = partialUpdates(fuse(graph, { origins, cache, fuse: options.fuse ?? true, ...stream }), narrowed);
        return byRows ? rowUpdates(made, { cache, of: expected(unit, bounds) }) : made;
      });
    let whole = fuseAll(streaming);
    // Streamed in a form that a GPU has no schedule for: then the matrices are stored.
    if (onGpu(options.targets) && [...whole.values()].some((p) => !kernelsOf(p).every(hasWgslSchedule)))
      whole = fuseAll(null);
    const rewriter = new StorageRewriter(stored);
    const fused = stored.size === 0 ? whole : mapPrograms(whole, (p) => rewriter.program(p));
    for (const [path, why] of rewriter.refused)
      problems.push(problem('NN794', null, { path, rule: rules.join(', '), why }));
    if (rewriter.refused.size > 0) continue;
    trace(`${unit.name}: fuse`, () => [...fused.values()].map((p) => printProgram(p)).join('\n'));

    const requests = requestsOf(origins);
    const planned = planMemory(unit, fused, bounds, {
      ...(options.memory === undefined ? {} : { memory: options.memory }),
      spanOf: (origin) => userSpan(origins, program.sources, origin),
      reuse: options.reuse ?? true,
      requests,
      stored: new Map([...stored].map(([path, s]) => [path, { ...s, scales: scalesOf(path) }])),
    });
    if (!planned.ok) {
      problems.push(...planned.problems);
      continue;
    }
    const { plan, kernels, schedules, programs, recomputations } = planned;
    trace(`${unit.name}: plan`, () => JSON.stringify(plan, null, 1));

    const { gpu } = options;
    const { tuning } = options;
    const found = { unit, plan, kernels, schedules, origins, sources: program.sources };
    const { matrices = false, packed = false } = options;
    const base = { ...found, matrices, packed, ...(tuning === undefined ? {} : { tuning }) };
    const material = gpu === undefined ? base : { ...base, gpu: { ...GUARANTEED, ...gpu } };
    const modules = new Modules(() => emitModule('ts', material));
    for (const target of new Set<Target>(options.targets ?? [])) {
      const what = unable(target, plan);
      if (what !== null) {
        problems.push(problem('NN804', null, { target, unit: unit.name, what }));
        continue;
      }
      const module = emitModule(target, material);
      for (const e of module.excess ?? []) {
        const { origin, ...facts } = e;
        problems.push(problem('NN807', userSpan(origins, program.sources, origin), { unit: unit.name, ...facts }));
      }
      if ((module.excess ?? []).length > 0) continue;
      modules.set(target, module);
      trace(`${unit.name}: emit ${target}`, () => module.typescript ?? module.javascript);
    }
    artifacts.set(unit.name, {
      name: unit.name,
      kind: unit.kind,
      unit,
      graphs,
      kernelPrograms: programs,
      kernels,
      schedules,
      plan,
      recomputations,
      modules,
      get typescript() {
        return modules.get('ts')!.typescript!;
      },
      get javascript() {
        return modules.get('ts')!.javascript;
      },
      get declarations() {
        return modules.get('ts')!.declarations;
      },
      get sourceMap() {
        return modules.get('ts')!.sourceMap!;
      },
      origins,
      ...(tuning === undefined ? {} : { tuning }),
    });
  }
  for (const rule of idle) problems.push(problem('NN794', null, { path: null, rule, why: IDLE }));
  return { artifacts, problems };
}

/** Leaves that are stored in fewer bytes have no drawn beginning: they are given. */
function unstored(graph: Graph, stored: ReadonlyMap<string, StoredAs>): Graph {
  if (stored.size === 0 || !graph.outputs.some((o) => o.updates !== null && stored.has(o.updates))) return graph;
  return { ...graph, outputs: graph.outputs.filter((o) => o.updates === null || !stored.has(o.updates)) };
}

function mapPrograms<A, B>(programs: ReadonlyMap<ProgramName, A>, f: (a: A) => B): Map<ProgramName, B> {
  return new Map([...programs].map(([name, program]) => [name, f(program)]));
}

/** What sizes are expected to be: their bounds, where there are any. */
function expected(unit: Unit, bounds: ReadonlyMap<string, number>): (size: string) => number {
  const limits = new Map<string, number>();
  for (const { name, bound } of unit.sizes) {
    const known = bounds.get(name) ?? bound;
    if (known !== null) limits.set(name, known);
  }
  return (size) => limits.get(size) ?? NOMINAL;
}

/** A GPU keeps what is summed from such a matrix in registers: there it must be narrow. */
function streamOptions(
  unit: Unit,
  bounds: ReadonlyMap<string, number>,
  { targets, stream }: BuildOptions,
): StreamOptions | null {
  if (stream === false) return null;
  const common = { of: expected(unit, bounds), least: typeof stream === 'number' ? stream : LEAST };
  return onGpu(targets) ? { ...common, narrow: NARROW } : common;
}

const onGpu = (targets: BuildOptions['targets']): boolean =>
  targets?.some((t) => t === 'wgsl' || t === 'auto') ?? false;

/** `batch B = 64` bounds B for the models of the file too, where nothing else does. */
function batchBounds(units: readonly Unit[]): [string, number][] {
  return units.flatMap((u) =>
    u.training?.batch ? [[u.training.batch.size, u.training.batch.value] as [string, number]] : [],
  );
}

const printUnits = (units: readonly Unit[]): string =>
  units.flatMap((u) => [...u.programs.values()].map((g) => printGraph(g))).join('\n');
