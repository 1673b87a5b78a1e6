/**
 * One ES module for a unit, without imports: the WebAssembly of its kernels and programs as a string, the plan as data, the runtime, and the same
 * class as the TypeScript target's. One memory holds both arenas and the workspace; a call of a program is one call into WebAssembly.
 *
 * The runtime is the one of the TypeScript target: a program's plan has one step here, the program's function, and `allocate` puts the views
 * onto the WebAssembly memory.
 */
import type { Unit } from '../../graph/types.ts';
import type { Kernel } from '../../kernel/types.ts';
import { wasmSchedule, type WasmSchedule } from '../../schedule/wasm.ts';
import { MACHINE } from '../../schedule/machine.ts';
import type { Plan } from '../../../runtime/plan.ts';
import { declared, MODULE_NAMES, named } from '../named.ts';
import { declarationLines } from '../ts/class.ts';
import { runtimeText } from '../ts/runtime.generated.ts';
import { machineText, unitLines } from './class.ts';
import { sharedFlag } from './encoder.ts';
import { mergeKernels } from './merge.ts';
import { FIRST, WasmModule, type Written } from './module.ts';
import { planLines } from './plan-text.ts';
import { alignLoops, type Alignment } from './align.ts';
import { hoists, type Hoists, type Packed } from './hoist.ts';
import { prepare } from './prepare.ts';
import { LEAST, pack } from './packing.ts';
import { workspaceBytes } from './product.ts';
import { isParallel, type Parallel } from './meetings.ts';
import { bodySignature, programFunction, programSignature, type Callee, type Layout, type Packing } from './program.ts';
import { callFunction, meetFunction, meetSignature, MOST_SIZES, SYNC, workFunction } from './threads.ts';
import { tileModule } from './tile.ts';
import { chosen, isOfItsOwn, tuningKey, type Choice, type Tuning } from './tuning.ts';

export interface EmittedWasm {
  /** An ES module without imports; it compiles its WebAssembly while it is loaded (top-level `await`). */
  readonly code: string;
  readonly declarations: string;
  /** The WebAssembly itself, without the register tiles. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of memory that one instance takes. */
  readonly memory: number;
}

/** Before, between and after the arenas: vector accesses may go past a buffer by less than this. */
const MARGIN = 128;
const PAGE = 65536;

/** Register tiles of products: with fused multiply-add, and without. */
interface Tiles {
  readonly relaxed: Uint8Array;
  readonly plain: Uint8Array;
}

const align = (n: number): number => Math.ceil(n / 64) * 64;

const MOVED = 14;
/** Bytes that become a string at once. */
const CHUNK = 4096;
/** Text → bytes: an array of bytes takes numbers modulo 256. */
export const BYTES = `const bytes = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0) - ${MOVED});`;

/**
 * Bytes as a string literal of characters below 256. In UTF-8 that is a little longer than base64, but a compressor still sees the bytes: half
 * as long over the wire. Bytes are moved on so that those that code is full of (0, small numbers, the prefix 0xfd) have characters of one byte without
 * a backslash; `BYTES` is the function that takes them back.
 */
export function bytesLiteral(bytes: Uint8Array): string {
  const moved = bytes.map((b) => b + MOVED);
  let text = '';
  for (let k = 0; k < moved.length; k += CHUNK) text += String.fromCharCode(...moved.subarray(k, k + CHUNK));
  const escaped = text.replace(/[\0\n\r\\']/g, (c, at: number) => {
    if (c === '\0') return /[0-9]/.test(text[at + 1] ?? '') ? '\\x00' : '\\0';
    return c === '\n' ? '\\n' : c === '\r' ? '\\r' : `\\${c}`;
  });
  return `'${escaped}'`;
}

/** The greatest value of every size name of every kernel. */
function kernelBounds(plan: Plan, kernels: readonly Kernel[]): readonly ReadonlyMap<string, number>[] {
  const bounds = kernels.map(() => new Map<string, number>());
  const of = new Map(plan.sizes.map((s) => [s.name, s.bound]));
  const value = (e: Plan['buffers'][number]['shape'][number], loops: ReadonlyMap<string, number>): number => {
    if (typeof e === 'number') return e;
    if (typeof e === 'string') return loops.get(e) ?? of.get(e) ?? 0;
    const args = e.args.map((a) => value(a, loops));
    if (e.op === 'add') return args.reduce((a, b) => a + b, 0);
    if (e.op === 'mul') return args.reduce((a, b) => a * b, 1);
    return e.op === 'pow' ? args[0]! ** args[1]! : Math.floor(args[0]! / args[1]!);
  };
  const go = (steps: Plan['programs'][string]['steps'], loops: ReadonlyMap<string, number>): void => {
    for (const step of steps) {
      if (step.kind === 'loop') go(step.body, new Map([...loops, [step.variable, value(step.count, loops)]]));
      if (step.kind !== 'call') continue;
      const own = bounds[step.kernel]!;
      for (const [k, name] of kernels[step.kernel]!.sizes.entries())
        own.set(name, Math.max(own.get(name) ?? 0, value(step.sizes[k]!, loops)));
    }
  };
  for (const program of Object.values(plan.programs)) go(program.steps, new Map());
  return bounds;
}

/** The kernels as they are emitted, their schedules for the plan's bounds, and where the arenas and workspaces lie in one memory. */
export interface Prepared {
  readonly joined: readonly Kernel[];
  readonly schedules: readonly WasmSchedule[];
  /** Steps of loops whose kernels are cut alike. */
  readonly cuts: Alignment['cuts'];
  readonly hoisted: Hoists;
  readonly layout: Layout;
  /** Of memory, with one thread. */
  readonly pages: number;
  /** By kernel: what was chosen for it by measuring; null: nothing. */
  readonly choices: readonly (Choice | null)[];
  /** By kernel: the schedule that the cost model chooses, and the greatest value of each of its sizes. */
  readonly usual: readonly WasmSchedule[];
  readonly of: readonly ((size: string) => number)[];
}

/** `worth`: see `wasmSchedule`. */
export function prepareAll(plan: Plan, kernels: readonly Kernel[], tuning?: Tuning, worth?: number): Prepared {
  const joined = kernels.map(prepare);
  const bounds = kernelBounds(plan, kernels);
  const of = joined.map(
    (_, i) =>
      (s: string): number =>
        bounds[i]!.get(s) ?? 1,
  );
  const usual = joined.map((k, i) => wasmSchedule(k, of[i], worth));
  const choices: (Choice | null)[] = usual.map(() => null);
  const scheduled = usual.map((schedule, i) => {
    const choice = tuning?.get(tuningKey(kernels[i]!, of[i]!));
    const made = choice === undefined ? null : chosen({ kernel: joined[i]!, schedule, of: of[i]! }, choice);
    if (made !== null) choices[i] = choice!;
    return made ?? schedule;
  });
  const fixed = new Set(choices.flatMap((c, k) => (c === null || !isOfItsOwn(c) ? [] : [k])));
  const { schedules, cuts } = alignLoops(plan, joined, scheduled, of, fixed);
  const rooms = joined.map((k, i) => workspaceBytes(k, schedules[i]!, of[i]!));
  const room = align(Math.max(0, ...rooms) + MARGIN);
  const persistent = FIRST;
  const work = align(persistent + plan.arenas.persistent + MARGIN);
  const panels = align(work + plan.arenas.work + MARGIN);
  const hoisted = hoists(plan, joined, schedules, of);
  const workspace = align(panels + hoisted.bytes);
  return {
    joined,
    schedules,
    cuts,
    hoisted,
    layout: { persistent, work, panels, workspace, room },
    pages: Math.ceil((workspace + room) / PAGE),
    choices,
    usual,
    of,
  };
}

/** What the runtime needs of the plan: no steps, which are in the programs, and the buffers that can be seen from outside. */
function visiblePlan(plan: Plan, names: readonly string[]): Plan {
  const held = plan.leaves.flatMap(({ buffer, stored }) => [buffer, stored?.scales ?? buffer]);
  const passed = Object.values(plan.programs).flatMap((p) => [...Object.values(p.inputs), ...Object.values(p.outputs)]);
  const kept = [...new Set([...held.sort((a, b) => a - b), ...passed])];
  const at = new Map(kept.map((b, k) => [b, k]));
  const moved = (table: Readonly<Record<string, number>>): Record<string, number> =>
    Object.fromEntries(Object.entries(table).map(([name, b]) => [name, at.get(b)!]));
  return {
    ...plan,
    buffers: kept.map((b) => plan.buffers[b]!),
    leaves: plan.leaves.map(({ stored, ...leaf }) => ({
      ...leaf,
      buffer: at.get(leaf.buffer)!,
      ...(stored === undefined
        ? {}
        : {
            stored: {
              ...stored,
              scales: stored.scales === null ? null : at.get(stored.scales)!,
              ...(stored.as === 'i4' ? { turned: true } : {}),
            },
          }),
    })),
    kernels: [],
    programs: Object.fromEntries(
      names.map((name) => [
        name,
        {
          ...plan.programs[name]!,
          steps: [],
          inputs: moved(plan.programs[name]!.inputs),
          outputs: moved(plan.programs[name]!.outputs),
        },
      ]),
    ),
  };
}

/** Functions of the kernels (one for several that differ in lengths only) and of what is packed before loops (a pair a kernel and side). */
function functionsOf(
  module: WasmModule,
  { joined: kernels, schedules, usual, of, hoisted }: Prepared,
): { readonly callees: readonly Callee[]; readonly packing: Packing } {
  const written: Written[] = [];
  const write = (f: Written): number => written.push(f) - 1;
  const plain = (k: number): boolean =>
    schedules[k] === usual[k] && schedules[k]!.block === null && schedules[k]!.leaves.every((l) => l.kind === 'loops');
  const found = new Map<number, Callee>();
  for (const { kernel, members } of mergeKernels(kernels.map((kernel, k) => (plain(k) ? kernel : null)))) {
    const longest = (size: string): number => {
      const at = kernel.sizes.indexOf(size) - (kernel.sizes.length - [...members.values()][0]!.length);
      return Math.max(...[...members].map(([k, lengths]) => lengths[at] ?? of[k]!(size)));
    };
    const schedule = wasmSchedule(kernel, longest);
    const target = write(module.written(kernel, schedule));
    for (const [k, more] of members) found.set(k, { target, kernel, shared: schedule.share !== null, more });
  }
  const callees = kernels.map(
    (kernel, k) =>
      found.get(k) ?? {
        target: write(module.written(kernel, schedules[k]!)),
        kernel,
        shared: schedules[k]!.share !== null,
        more: [],
      },
  );
  const made = new Map<string, { readonly target: number; readonly pack: number }>();
  const pair = ({ call: { kernel }, side }: Packed): { readonly target: number; readonly pack: number } => {
    const key = `${kernel} ${side}`;
    let known = made.get(key);
    if (known === undefined) {
      const { target, pack } = module.packed(kernels[kernel]!, schedules[kernel]!, side);
      made.set(key, (known = { target: write(target), pack: write(pack) }));
    }
    return known;
  };
  const calls = [...hoisted.calls].map(([step, p]) => [step, { at: p.at, target: pair(p).target }] as const);
  const before = [...hoisted.before].map(
    ([loop, list]) => [loop, list.map((p) => ({ at: p.at, target: pair(p).pack, call: p.call }))] as const,
  );
  // Their numbers are known when all are written.
  const targets = module.add(written);
  const placed = <T extends { readonly target: number }>(x: T): T => ({ ...x, target: targets[x.target]! });
  return {
    callees: callees.map(placed),
    packing: {
      calls: new Map(calls.map(([step, p]) => [step, placed(p)])),
      before: new Map(before.map(([loop, list]) => [loop, list.map(placed)])),
    },
  };
}

export interface WasmOptions {
  /** What was measured (`nnc tune`). */
  readonly tuning?: Tuning;
  /** Makes the WebAssembly short, and packs it if it is long still: a module weighs half as much, and takes longer to emit and some milliseconds longer to start. */
  readonly packed?: boolean;
}

/** Constants of the module: `code`, the programs, and `tile`, the tiles of products where there are any. */
function binaries(
  code: Uint8Array,
  tiles: Tiles | null,
  packed: boolean,
): { lines: readonly string[]; unpack: string } {
  const list = tiles === null ? [code] : [code, tiles.relaxed, tiles.plain];
  const all = new Uint8Array(list.reduce((n, bytes) => n + bytes.length, 0));
  let end = 0;
  const ends = list.map((bytes) => {
    all.set(bytes, end);
    return (end += bytes.length);
  });
  const isPacked = packed && end >= LEAST;
  const part = (k: number): string =>
    isPacked ? `packed.subarray(${ends[k - 1] ?? 0}, ${ends[k]})` : `bytes(${bytesLiteral(list[k]!)})`;
  return {
    lines: [
      isPacked ? `const packed = unpacked("${pack(all)}", ${end});` : BYTES,
      `const code = ${part(0)};`,
      'const programs = await WebAssembly.compile(code);',
      ...(tiles === null
        ? ['const tiles = null;']
        : [
            '// Register tiles of products: with fused multiply-add where the engine has it.',
            `const relaxed = ${part(1)};`,
            `const tile = WebAssembly.validate(relaxed) ? relaxed : ${part(2)};`,
            'const tiles = await WebAssembly.compile(tile);',
          ]),
    ],
    unpack: isPacked ? runtimeText.compact.packed : '',
  };
}

/** Without comments and indentation: nobody reads what is shipped. */
const bare = (lines: readonly string[]): string[] =>
  lines
    .flatMap((line) => line.split('\n'))
    .map((line) => line.trimStart())
    .filter((line) => !/^(?:\/\/|\/\*\*.*\*\/$)/.test(line));

/** `kernels` in the plan's order. */
export function emitWasm(
  unit: Unit,
  plan: Plan,
  kernels: readonly Kernel[],
  { tuning, packed = false }: WasmOptions = {},
): EmittedWasm {
  const prepared = prepareAll(plan, kernels, tuning);
  const { joined, cuts, hoisted, layout, pages } = prepared;
  const { persistent, work, workspace, room } = layout;

  const cold = plan.arenas.persistent + plan.arenas.work > MACHINE.cached;
  const module = new WasmModule({ pages, shared: false, cold, short: packed });
  const { callees: functions, packing: before } = functionsOf(module, prepared);
  const names = Object.keys(plan.programs);
  const steps = names.map((name) => plan.programs[name]!.steps);
  const parallel: Parallel = {
    plan,
    kernels: joined,
    shared: (k) => functions[k]!.shared,
    cuts,
    packed: (loop) => hoisted.before.has(loop),
  };
  const threads = plan.sizes.length <= MOST_SIZES && steps.some((list) => isParallel(parallel, list));
  if (threads) {
    const meet = module.define(meetSignature, meetFunction());
    const bodies = steps.map((list) =>
      module.define(bodySignature(plan), programFunction(plan, list, functions, before, layout, parallel, meet)),
    );
    for (const [number, name] of names.entries())
      module.define(programSignature(plan), callFunction(plan, number, bodies[number]!), name);
    module.define({ parameters: [], results: [] }, workFunction(plan, bodies), 'work');
  } else {
    for (const [number, name] of names.entries())
      module.define(
        programSignature(plan),
        programFunction(plan, steps[number]!, functions, before, layout, parallel, null),
        name,
      );
  }
  const bytes = module.encode();
  const shown = visiblePlan(plan, names);
  const tiles = module.hasTiles ? { relaxed: tileModule(true), plain: tileModule(false) } : null;
  const binary = binaries(bytes, tiles, packed);
  const made = named(plan.name, machineText(shown, threads), MODULE_NAMES, (name) =>
    unitLines({ ...shown, name }, `allocate(plan${threads ? ', options.threads' : ''})`),
  );
  const own = (lines: readonly string[]): readonly string[] => (packed ? bare(lines) : lines);
  const code = [
    `// ${unit.name}, compiled by nnc to WebAssembly with SIMD: the programs, the plan of memory, the runtime, and the class ${unit.name}.`,
    ...own([
      ...binary.lines,
      ...(threads
        ? [
            '/** The same for shared memory: one bit differs. */',
            'const together = (code, at) => { code[at] = 3; return new WebAssembly.Module(code); };',
          ]
        : []),
      '// Memory, and the programs on it.',
      `function allocate(plan${threads ? ', wanted = 1' : ''}) {`,
      ...(threads
        ? [
            '  const threads = threadsFor(wanted);',
            `  const pages = Math.ceil((${workspace} + threads * ${room}) / ${PAGE});`,
            '  const m = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: threads > 1 });',
            '  let [p, t] = [programs, tiles];',
            `  if (threads > 1) [p, t] = [together(code, ${sharedFlag(bytes)}), ${tiles === null ? 'null' : `together(tile, ${sharedFlag(tiles.plain)})`}];`,
          ]
        : [
            `  const m = new WebAssembly.Memory({ initial: ${pages}, maximum: ${pages} });`,
            '  const [p, t] = [programs, tiles];',
          ]),
      '  const { buffer } = m;',
      module.hasTiles
        ? '  const e = { m, ...new WebAssembly.Instance(t, { e: { m } }).exports };'
        : '  const none = () => undefined;\n  const e = { m, t1: none, t2: none, t3: none, t4: none, t5: none };',
      '  const made = {',
      '    views: plan.buffers.map((b) =>',
      `      viewOf(b.dtype, buffer, b.offset + (b.arena === 'persistent' ? ${persistent} : ${work}), b.bytes, b.storage)),`,
      '    run: new WebAssembly.Instance(p, { e }).exports,',
      '  };',
      ...(threads
        ? [
            '  if (threads > 1) {',
            `    const word = (at) => new Int32Array(buffer, at, 1);`,
            `    word(${SYNC.mayWait})[0] = mayWait() ? 1 : 0;`,
            `    made.close = startThreads(made, threads - 1, { p, t, m }, { call: word(${SYNC.call}), ready: word(${SYNC.ready}) });`,
            '  }',
          ]
        : []),
      '  return made;',
      '}',
      'const bind = ({ sizes: s, memory: { run } }) => ({',
      `  run: { ${names.map((name) => `${name}: () => run.${name}(${plan.sizes.map((_, k) => `s[${k}]`).join(', ')})`).join(', ')} },`,
      '});',
      ...planLines(shown),
    ]),
    made.others,
    ...own(made.lines),
    binary.unpack,
    '',
  ].join('\n');
  return {
    code,
    declarations: declared(plan, runtimeText.declarations, declarationLines),
    bytes,
    memory: pages * PAGE,
  };
}
