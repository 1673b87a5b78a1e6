/**
 * One ES module for a unit, without imports: its kernels as WGSL, the plan (with this target's offsets) as rows of data, the runtime's text, and a typed
 * class named after the unit. A kernel is emitted once for each way in which its buffers lie in its calls (slots.ts).
 */
import type { Span } from '../../../grammar/ast.ts';
import type { Origins, OriginId } from '../../graph/origin.ts';
import type { ProgramName, Unit } from '../../graph/types.ts';
import type { Expr, Kernel, Schedule } from '../../kernel/types.ts';
import { num, type Poly } from '../../sizes/poly.ts';
import type { Sources } from '../../source/source.ts';
import { interval, sizeExpr, sizePoly, type Interval } from '../../plan/sizes.ts';
import { holdsHalves, matrixBytes, matrixPass, type MatrixSchedule } from '../../schedule/wgsl-matrix.ts';
import { fewRows, wgslSchedule, workgroupNeed, type SizeOf, type WgslSchedule } from '../../schedule/wgsl.ts';
import type { Plan, PlanProgram, PlanStep } from '../../../runtime/plan.ts';
import type { GpuHalves, GpuMergedCalls, GpuOrigins } from '../../../runtime/webgpu/table.ts';
import { isStored } from '../ts/class.ts';
import { literal } from '../ts/emit.ts';
import { declared, MODULE_NAMES, named } from '../named.ts';
import { classLines, declarationLines } from './class.ts';
import { callLie, halfParameters, halvesPlan, roundedBuffers, type HalvesPlan } from './halves.ts';
import { closure, helperText, type Helper } from './helpers.ts';
import { emitKernel, type EmittedKernel } from './kernel.ts';
import { GUARANTEED, gpuPlan, overLimits, type GpuLimits } from './layout.ts';
import { MATRIX_EXTENSIONS } from './matrix.ts';
import { mergedCalls } from './merge.ts';
import { webgpuText } from './runtime.generated.ts';
import { WITHOUT_HALVES } from './shader.ts';
import { slotPlaces, type SlotMap } from './slots.ts';
import { HALF } from './windows.ts';

export interface WgslOptions {
  /** TypeScript, or JavaScript with declarations beside it. */
  readonly types: boolean;
  /** Where kernels came from; without them there are no places in comments and messages. */
  readonly origins?: Origins;
  readonly sources?: Sources;
  /** Of the device that it is compiled for; what WebGPU guarantees if left out. */
  readonly limits?: GpuLimits;
  /** Products of halves have a form for matrix units beside the other. */
  readonly matrices?: boolean;
  /** How kernels are computed, if not as `wgslSchedule` says. */
  readonly schedule?: (kernel: Kernel, of: SizeOf, most?: SizeOf) => WgslSchedule;
}

export interface EmittedWgsl {
  readonly code: string;
  /** The .d.ts; empty for TypeScript. */
  readonly declarations: string;
  /** Too much for the limits: runs only on devices that offer more. */
  readonly excess: readonly Excess[];
}

export interface Excess {
  /** A tensor (`over` is binding), or a kernel that uses many (buffers). */
  readonly what: string;
  readonly over: 'binding' | 'buffers';
  readonly needed: number;
  readonly limit: number;
  /** Bindings of a kernel. */
  readonly bindings: number;
  readonly origin: OriginId;
}

/** Position of the variant of every call, and of what stands for several, by program. */
interface Listed {
  readonly calls: Readonly<Record<string, readonly number[]>>;
  readonly merged: Readonly<Record<string, readonly GpuMergedCalls[]>>;
}

const NONE: ReadonlySet<number> = new Set();

interface Variant {
  readonly kernel: Kernel;
  readonly map: SlotMap;
  /** Of its first call. */
  readonly buffers: readonly number[];
  readonly emitted: EmittedKernel;
  /** For a device with matrix units, and the bytes of workgroup memory that this takes. */
  readonly matrix: { readonly emitted: EmittedKernel; readonly bytes: number } | null;
  /** Bytes of workgroup memory, where it may take more than every device has. */
  readonly workgroup: number;
  readonly place: string | null;
  /** Position of the variant for few rows. */
  few?: { readonly rows: Poly; readonly most: number; readonly kernel: number };
}

/** `kernels` in the plan's order; their CPU schedules play no part, the target has its own. The plan is the CPU's, too: offsets are laid anew. */
export function emitWgsl(
  unit: Unit,
  plan: Plan,
  kernels: readonly Kernel[],
  _schedules: readonly Schedule[],
  options: WgslOptions,
): EmittedWgsl {
  const { types } = options;
  const given = options.limits ?? GUARANTEED;
  const limits = { ...given, binding: Math.min(given.binding, given.buffer) };
  // What the runtime asks the device for; its cores it cannot ask for.
  const { cores: _, ...asked } = limits;
  const own = gpuPlan(plan, limits);
  const placeOf = places(options);
  const bounds = new Map(plan.sizes.map((s) => [s.name, s.bound]));
  const rangeOf = (s: string): Interval => ({ low: 0, high: bounds.get(s) ?? Infinity });
  const rounded = options.matrices ? roundedBuffers(plan, kernels) : new Set<number>();
  const variants: Variant[] = [];
  const positions = new Map<string, number>();
  const half = halvesPlan(plan, kernels, limits);
  const listed = (laid: Plan, name: string, program: PlanProgram): { list: number[]; merged: GpuMergedCalls[] } => {
    const list: number[] = [];
    const alone = ofOneCall(laid, name);
    const go = (steps: readonly PlanStep[]): void => {
      for (const step of steps) {
        if (step.kind === 'loop') go(step.body);
        if (step.kind !== 'call') continue;
        const kernel = kernels[step.kernel]!;
        const lie = callLie(laid, kernel, step.buffers, limits);
        const { map, bases, windows } = lie;
        const kept = half === null ? NONE : halfParameters(half.halves, step.buffers, lie);
        const halves = (e: Expr): boolean => holdsHalves(kernel, (k) => rounded.has(step.buffers[k]!), e);
        const unread = new Set(step.buffers.flatMap((b, i) => (alone.has(b) ? [i] : [])));
        const held = options.matrices ? `: ${step.buffers.map((b) => (rounded.has(b) ? 1 : 0)).join('')}` : '';
        // Training has the batch that it was compiled for.
        const mayBeFew = name === 'forward' || name === 'stream';
        const greatest = step.sizes.map((e) => interval(sizePoly(e), rangeOf).high);
        const key = `${step.kernel}: ${greatest.join()}: ${map.join()}: ${bases.join()}: ${windows.join()}: ${[...unread].join()}: ${[...kept].join()}${held}${mayBeFew ? ' few' : ''}`;
        let position = positions.get(key);
        if (position === undefined) {
          position = variants.length;
          positions.set(key, position);
          const place = placeOf(kernel.origin);
          const sizeOf: SizeOf = (s) => bounds.get(s) ?? 64;
          // Training mostly has the sizes it was compiled for.
          const most = mayBeFew ? undefined : (s: string): number => greatest[kernel.sizes.indexOf(s)] ?? Infinity;
          const emitted = (schedule: MatrixSchedule): EmittedKernel =>
            emitKernel(kernel, schedule, map, place, { bases, windows, bytes: limits.binding, own: unread }, kept);
          const emit = (schedule: WgslSchedule): Variant => {
            const own = options.matrices ? onMatrixUnits(kernel, schedule, sizeOf, halves) : null;
            const matrix = own === null ? null : { emitted: emitted(own.schedule), bytes: own.bytes };
            const workgroup = workgroupNeed(kernel, schedule);
            return { kernel, map, place, buffers: step.buffers, emitted: emitted(schedule), matrix, workgroup };
          };
          const schedule = options.schedule?.(kernel, sizeOf, most) ?? wgslSchedule(kernel, sizeOf, given, most);
          const own = emit(schedule);
          variants.push(own);
          const few = mayBeFew ? fewRows(kernel, schedule, sizeOf) : null;
          if (few !== null) {
            own.few = { rows: few.rows, most: few.most, kernel: variants.length };
            variants.push(emit(few.schedule));
          }
        }
        list.push(position);
      }
    };
    go(program.steps);
    // Training has as many rows as it was compiled for.
    if (name !== 'forward' && name !== 'stream') return { list, merged: [] };
    const merged = mergedCalls(laid, program, kernels).flatMap((run): GpuMergedCalls[] => {
      const places = slotPlaces(
        run.buffers.map((b, k) => (run.own[k] === null ? laid.buffers[b]! : null)),
        limits,
      );
      const { map, bases, windows } = places;
      const kept = half === null ? NONE : halfParameters(half.halves, run.buffers, places);
      // What lies in halves is read as such, or not here.
      if (laid !== own && kept.size === 0 && run.buffers.some((b, k) => map[k]! >= 0 && half!.halves.has(b))) return [];
      const place = placeOf(run.kernel.origin);
      const next = windows.length;
      const lie = { bases: bases.map((b, k) => run.own[k] ?? b), windows: [...windows, 1], bytes: limits.binding };
      const all = map.map((s) => (s < 0 ? next : s));
      const emitted = emitKernel(run.kernel, run.schedule, all, place, lie, kept);
      if (emitted.bindings > limits.bindings || run.scratch * 4 > limits.binding) return [];
      const key = `${all.join()}\n${emitted.lines.join('\n')}`;
      const known = positions.get(key);
      const within = run.within.map((w) => ({ value: sizeExpr(w.value), most: w.most }));
      const { first, count, buffers } = run;
      if (known !== undefined) return [{ first, count, kernel: known, buffers, within }];
      const kernel = variants.length;
      positions.set(key, kernel);
      // Its own memory is where other kernels leave what is between their passes.
      const between = run.scratch === 0 ? {} : { scratch: num(run.scratch), slots: emitted.slots.slice(0, next) };
      const made = { ...emitted, ...between, bindings: emitted.bindings - (run.scratch === 0 ? 0 : 1) };
      variants.push({ kernel: run.kernel, map, place, buffers, emitted: made, matrix: null, workgroup: 0 });
      return [{ first, count, kernel, buffers, within }];
    });
    return { list, merged };
  };
  const lists = (laid: Plan): Listed => {
    const found = Object.entries(laid.programs).map(([name, p]) => [name, listed(laid, name, p)] as const);
    return {
      calls: Object.fromEntries(found.map(([name, { list }]) => [name, list])),
      merged: Object.fromEntries(found.flatMap(([name, { merged }]) => (merged.length > 0 ? [[name, merged]] : []))),
    };
  };
  const called = lists(own);
  const halved = half === null ? null : { ...half, ...lists(half.plan) };

  const text = types ? 'typescript' : 'javascript';
  const runtime = [webgpuText[text].trimEnd(), ...(isStored(plan) ? [webgpuText.store[text].trimEnd()] : [])];
  const made = named(
    own.name,
    runtime.join('\n\n'),
    [...MODULE_NAMES, ...variants.map((_, i) => shaderOf(i))],
    (unitName) => classLines({ ...own, name: unitName }, types),
  );
  const files = options.sources?.files.filter((f) => !f.library).map((f) => f.path) ?? [];
  const lines = [
    `// ${unit.name}, compiled by nnc${files.length === 0 ? '' : ` from ${files.join(', ')}`}, for WebGPU. Kernels, then the plan of memory and steps, the class ${unit.name}, and the runtime.`,
    '',
    ...helperLines(variants.flatMap((v) => (v.matrix === null ? [v.emitted] : [v.emitted, v.matrix.emitted]))),
    ...variants.flatMap((v, i) => shaderLines(v, i)),
    ...tableLines(variants, called, halved, originsOf(unit, own, kernels, placeOf), types),
    '',
    ...planLines(own, types),
    `const limits${types ? ': GpuCompiledLimits' : ''} = ${literal(asked)};`,
    '',
    ...made.lines,
    '',
    ...made.others.split('\n'),
    '',
  ];
  return {
    code: lines.join('\n'),
    declarations: types ? '' : declared(own, webgpuText.declarations, declarationLines),
    excess: excessOf(unit, own, kernels, variants, limits),
  };
}

function excessOf(
  unit: Unit,
  plan: Plan,
  kernels: readonly Kernel[],
  variants: readonly Variant[],
  limits: GpuLimits,
): Excess[] {
  const originOf = bufferOrigins(unit, plan, kernels);
  const tensor = (position: number): Excess => {
    const { name, leaf, bytes } = plan.buffers[position]!;
    const origin = originOf(position) ?? 0;
    return {
      what: leaf ?? name,
      over: 'binding',
      needed: bytes,
      limit: limits.binding,
      bindings: limits.bindings,
      origin,
    };
  };
  const large = new Set(overLimits(plan, limits));
  // What is copied as a whole is seen through one binding.
  const copies = (steps: readonly PlanStep[]): void => {
    for (const step of steps)
      if (step.kind === 'loop') copies(step.body);
      else if (step.kind === 'copy' && plan.buffers[step.from]!.bytes > limits.binding) large.add(step.from);
  };
  for (const program of Object.values(plan.programs)) copies(program.steps);
  const many = variants
    .filter((v) => v.emitted.bindings > limits.bindings)
    .flatMap(({ kernel, emitted, buffers }): Excess[] => {
      // Those that take several bindings each are what is too much.
      const long = buffers.filter((b) => plan.buffers[b]!.bytes > limits.binding);
      for (const b of long) large.add(b);
      if (long.length > 0) return [];
      const needed = emitted.bindings;
      const { bindings } = limits;
      return [{ what: kernel.name, over: 'buffers', needed, limit: bindings, bindings, origin: kernel.origin }];
    });
  return [...[...large].map(tensor), ...many];
}

/** Where a buffer is declared, or else the first kernel that writes it. */
function bufferOrigins(unit: Unit, plan: Plan, kernels: readonly Kernel[]): (position: number) => OriginId | null {
  const named = new Map([
    ...unit.leaves.map((l) => [l.path, l.origin] as const),
    ...unit.inputs.map((i) => [i.name, i.origin] as const),
  ]);
  const written = new Map<number, OriginId>();
  const go = (steps: readonly PlanStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') go(step.body);
      if (step.kind !== 'call') continue;
      const kernel = kernels[step.kernel]!;
      for (const [k, b] of step.buffers.entries())
        if (kernel.buffers[k]!.access !== 'read' && !written.has(b)) written.set(b, kernel.origin);
    }
  };
  for (const program of Object.values(plan.programs)) go(program.steps);
  return (position) => {
    const { leaf } = plan.buffers[position]!;
    return (leaf === null ? undefined : named.get(leaf)) ?? written.get(position) ?? null;
  };
}

/** Places for what the device may complain about while a program runs. */
function originsOf(
  unit: Unit,
  plan: Plan,
  kernels: readonly Kernel[],
  placeOf: (origin: OriginId) => string | null,
): GpuOrigins {
  const positions = new Map<string, number>();
  const position = (origin: OriginId | null | undefined): number => {
    const place = origin == null ? null : placeOf(origin);
    if (place === null) return -1;
    if (!positions.has(place)) positions.set(place, positions.size);
    return positions.get(place)!;
  };
  const originOf = bufferOrigins(unit, plan, kernels);
  const buffers = plan.buffers.map((_b, k) => position(originOf(k)));
  const programs = Object.fromEntries(
    Object.keys(plan.programs).map((name) => {
      const graph = unit.programs.get(name as ProgramName);
      return [name, position(graph?.outputs.find((o) => o.updates === null)?.node.origin)];
    }),
  );
  return { places: [...positions.keys()], programs, buffers };
}

/** The library's own text is not the user's: up to the call in their file. */
export function userSpan(origins: Origins, sources: Sources, origin: OriginId): Span | null {
  let row = origins.rows[origin];
  while (row !== undefined && row.parent !== null && sources.get(row.span.file).library) row = origins.rows[row.parent];
  return row?.span ?? null;
}

function places({ origins, sources }: WgslOptions): (origin: OriginId) => string | null {
  return (origin) => {
    if (origins === undefined || sources === undefined) return null;
    const span = userSpan(origins, sources, origin);
    return span === null ? null : sources.place(span);
  };
}

const constantOf = (helper: Helper): string => `wgsl_${helper}`;
const shaderOf = (position: number): string => `shader_${position}`;

/** Nothing in WGSL needs escaping inside a template literal; what comes in from names is escaped all the same. */
const template = (text: string): string => text.replace(/[\\`]|\$\{/g, (c) => `\\${c}`);

function helperLines(kernels: readonly EmittedKernel[]): string[] {
  const used = closure(new Set(kernels.flatMap((k) => [...k.helpers])));
  return used.flatMap((h) => [`const ${constantOf(h)} = \`${template(helperText(h))}\n\`;`, '']);
}

function shaderLines(variant: Variant, position: number): string[] {
  const { emitted, kernel } = variant;
  const shapes = kernel.buffers.map((b) => `${b.name} ${b.dtype}${b.access === 'read' ? '' : ' (written)'}`);
  const helpers = closure(emitted.helpers).map((h) => `\${${constantOf(h)}}`);
  const first = emitted.halves ? `${WITHOUT_HALVES}\n` : '';
  return [
    `// ${kernel.name}: ${shapes.join(', ')}`,
    `const ${shaderOf(position)} = \`${first}${helpers.join('')}${template(emitted.lines.join('\n'))}`,
    '`;',
    '',
    ...matrixShader(variant, position),
  ];
}

/** The form for matrix units; what it needs of a device is said first in a shader. */
function matrixShader({ matrix }: Variant, position: number): string[] {
  if (matrix === null) return [];
  const { helpers, lines, halves } = matrix.emitted;
  // Who has matrix units has halves.
  const first = `${MATRIX_EXTENSIONS}${halves ? `alias ${HALF} = f16;\n` : ''}`;
  const texts = closure(helpers).map((h) => `\${${constantOf(h)}}`);
  return [
    '// The same on matrix units.',
    `const ${shaderOf(position)}m = \`${first}${texts.join('')}${template(lines.join('\n'))}`,
    '`;',
    '',
  ];
}

/** The schedule with products of halves on matrix units; null where there are none. */
function onMatrixUnits(
  kernel: Kernel,
  schedule: WgslSchedule,
  sizeOf: SizeOf,
  halves: (e: Expr) => boolean,
): { readonly schedule: MatrixSchedule; readonly bytes: number } | null {
  let bytes = 0;
  const passes = schedule.passes.map((pass) => {
    const own = pass.kind === 'product' ? matrixPass(kernel, pass, sizeOf, halves) : null;
    if (own !== null) bytes = Math.max(bytes, matrixBytes(own));
    return own ?? pass;
  });
  return bytes === 0 ? null : { schedule: { passes }, bytes };
}

/** Buffers that one call of a program has for itself. */
function ofOneCall(plan: Plan, name: string): ReadonlySet<number> {
  const program = plan.programs[name]!;
  const calls = new Map<number, number>();
  const touch = (b: number): void => void calls.set(b, (calls.get(b) ?? 0) + 1);
  for (const b of [...Object.values(program.inputs), ...Object.values(program.outputs)]) touch(b);
  const go = (steps: readonly PlanStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') go(step.body);
      else for (const b of new Set(step.kind === 'call' ? step.buffers : [step.from, step.to])) touch(b);
      // What ends a loop is read by its gate.
      if (step.kind === 'loop') for (const b of [step.until, step.limit]) if (b != null) touch(b);
    }
  };
  go(program.steps);
  return new Set([...calls].flatMap(([b, n]) => (n === 1 && plan.buffers[b]!.kind === 'temporary' ? [b] : [])));
}

const passesOf = ({ passes }: EmittedKernel): object[] =>
  passes.map((p) => ({ entry: p.entry, count: sizeExpr(p.count), per: p.per }));

function tableLines(
  variants: readonly Variant[],
  { calls, merged }: Listed,
  halved: (HalvesPlan & Listed) | null,
  origins: GpuOrigins,
  types: boolean,
): string[] {
  const rows = variants.map((v, i) => {
    const passes = passesOf(v.emitted);
    const { scratch } = v.emitted;
    const { slots, bindings } = v.emitted;
    const more = {
      ...(scratch === null ? {} : { scratch: sizeExpr(scratch) }),
      ...(bindings === slots.length ? {} : { bindings }),
      ...(v.workgroup > GUARANTEED.workgroup ? { workgroup: v.workgroup } : {}),
      ...(v.few === undefined ? {} : { few: { ...v.few, rows: sizeExpr(v.few.rows) } }),
    };
    const matrix =
      v.matrix === null
        ? ''
        : `matrix: { code: ${shaderOf(i)}m, passes: ${literal(passesOf(v.matrix.emitted))}, bytes: ${v.matrix.bytes} }, `;
    const map = v.map.map((k) => (k < 0 ? k : slots[k]!.first));
    const row = literal({ name: v.kernel.name, place: v.place, slots: map, sizes: v.kernel.sizes, passes, ...more });
    return `    { code: ${shaderOf(i)}, ${matrix}${row.slice(2)},`;
  });
  return [
    '// Each kernel for each way in which its buffers lie; which of them every call of a program is.',
    `const table${types ? ': GpuProgramTable' : ''} = {`,
    '  kernels: [',
    ...rows,
    '  ],',
    '  calls: {',
    ...Object.entries(calls).map(([name, list]) => `    ${name}: ${literal(list)},`),
    '  },',
    ...(Object.keys(merged).length === 0 ? [] : [`  merged: ${literal(merged)},`]),
    `  origins: ${literal(origins)},`,
    ...(halved === null ? [] : [`  halves: ${literal(halvesTable(halved, calls))},`]),
    '};',
  ];
}

/** What is else where the device has halves. */
function halvesTable({ plan, halves, calls, merged }: HalvesPlan & Listed, without: Listed['calls']): GpuHalves {
  const { arenas, buffers } = plan;
  const other = Object.entries(calls).filter(([name, list]) => list.join() !== without[name]!.join());
  return {
    buffers: [...halves].sort((a, b) => a - b),
    arenas,
    offsets: buffers.map((b) => b.offset),
    calls: Object.fromEntries(other),
    ...(Object.keys(merged).length === 0 ? {} : { merged }),
  };
}

function planLines(plan: Plan, types: boolean): string[] {
  const list = (key: string, rows: readonly unknown[]): string[] =>
    rows.length === 0 ? [`  ${key}: [],`] : [`  ${key}: [`, ...rows.map((r) => `    ${literal(r)},`), '  ],'];
  return [
    `const plan${types ? ': Plan' : ''} = {`,
    `  name: ${literal(plan.name)},`,
    `  kind: ${literal(plan.kind)},`,
    `  training: ${literal(plan.training)},`,
    `  sizes: ${literal(plan.sizes)},`,
    `  arenas: ${literal(plan.arenas)},`,
    '  buffers: [',
    ...plan.buffers.map((row, i) => `    ${literal(row)}, // ${i}`),
    '  ],',
    ...list('leaves', plan.leaves),
    ...list('inputs', plan.inputs),
    ...list('requirements', plan.requirements),
    ...(plan.checkpoints === undefined ? [] : list('checkpoints', plan.checkpoints)),
    `  kernels: ${literal(plan.kernels)},`,
    '  programs: {',
    ...Object.entries(plan.programs).flatMap(([name, p]) => [
      `    ${name}: {`,
      `      name: ${literal(p.name)},`,
      '      steps: [',
      ...p.steps.map((s) => `        ${literal(s)},`),
      '      ],',
      `      inputs: ${literal(p.inputs)},`,
      `      outputs: ${literal(p.outputs)},`,
      `      infer: ${literal(p.infer)},`,
      `      required: ${literal(p.required)},`,
      '    },',
    ]),
    '  },',
    '};',
  ];
}
