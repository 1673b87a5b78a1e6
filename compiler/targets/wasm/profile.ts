/** The module of a unit for the profiler: every kernel a function of its own, called from the plan's steps as the TypeScript target does. */
import type { Plan } from '../../../runtime/plan.ts';
import type { Kernel } from '../../kernel/types.ts';
import { MODULE_NAMES, named } from '../named.ts';
import { classLines } from '../ts/class.ts';
import { literal } from '../ts/emit.ts';
import { runtimeText } from '../ts/runtime.generated.ts';
import { machineText } from './class.ts';
import { BYTES, bytesLiteral, prepareAll } from './emit.ts';
import { WasmModule } from './module.ts';
import { tileModule } from './tile.ts';
import type { Tuning } from './tuning.ts';

export function emitWasmProfile(plan: Plan, kernels: readonly Kernel[], tuning?: Tuning): string {
  const { joined, schedules, layout, pages } = prepareAll(plan, kernels, tuning);
  const module = new WasmModule({ pages, shared: false });
  for (const [i, k] of joined.entries()) module.kernel({ ...k, name: `k${i}` }, true, schedules[i]!);
  const bytes = module.encode();
  const made = named(
    plan.name,
    [machineText(plan, false), runtimeText.compact.steps].join('\n'),
    [...MODULE_NAMES, 'profileKernels'],
    (name) => classLines({ ...plan, name }, false, 'allocate(plan)'),
  );
  return [
    BYTES,
    `const programs = await WebAssembly.compile(bytes(${bytesLiteral(bytes)}));`,
    `const relaxed = bytes(${bytesLiteral(tileModule(true))});`,
    `const tiles = await WebAssembly.compile(WebAssembly.validate(relaxed) ? relaxed : bytes(${bytesLiteral(tileModule(false))}));`,
    'const instances = new WeakMap();',
    'function allocate(plan) {',
    `  const memory = new WebAssembly.Memory({ initial: ${pages}, maximum: ${pages} });`,
    '  const { buffer } = memory;',
    '  const e = { m: memory, ...new WebAssembly.Instance(tiles, { e: { m: memory } }).exports };',
    '  instances.set(buffer, new WebAssembly.Instance(programs, { e }).exports);',
    '  const views = plan.buffers.map((b) =>',
    `    viewOf(b.dtype, buffer, b.offset + (b.arena === 'persistent' ? ${layout.persistent} : ${layout.work}), b.bytes, b.storage),`,
    '  );',
    '  return { views };',
    '}',
    '/** A call with its arguments in place: the time of one is all that is added. */',
    'const bind = (name) => (arrays, s, at) => {',
    '  const f = instances.get(arrays[0].buffer)[name];',
    `  const given = [${layout.workspace}, 0, 1, ...at.map(() => 0), ...arrays.map((a) => a.byteOffset)];`,
    `  return () => { for (let i = 0; i < at.length; i++) given[3 + i] = s[at[i]]; f(...given); };`,
    '};',
    `export const profileKernels = [${joined.map((_, i) => `bind('k${i}')`).join(', ')}];`,
    'const kernels = profileKernels;',
    `const plan = ${literal(plan)};`,
    ...made.lines,
    made.others,
    '',
  ].join('\n');
}
