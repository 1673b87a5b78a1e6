/**
 * One ES module for a unit, without imports: kernels as readable functions, the plan as rows of data, the runtime's text, and a typed class named after
 * the unit. The code grows with the number of different kernels; a further layer of a known kind adds rows only.
 */
import type { Origins, OriginId } from '../../graph/origin.ts';
import type { Unit } from '../../graph/types.ts';
import type { Kernel, Schedule } from '../../kernel/types.ts';
import type { Sources } from '../../source/source.ts';
import type { Plan, PlanStep } from '../../../runtime/plan.ts';
import { declared, MODULE_NAMES, named } from '../named.ts';
import { classLines, declarationLines, isStored } from './class.ts';
import { plainSchedule } from '../../schedule/plain.ts';
import { arrayOf, emitKernel } from './kernel.ts';
import { identifier, Names } from './names.ts';
import type { Helper } from './scalar.ts';
import { runtimeText } from './runtime.generated.ts';
import { sourceMap, type Mapped } from './source-map.ts';

export interface EmitOptions {
  /** TypeScript, or JavaScript with declarations beside it. */
  readonly types: boolean;
  /** Where kernels came from; without them there are no places in comments and the source map is empty. */
  readonly origins?: Origins;
  readonly sources?: Sources;
  /** Name of the module's file in the source map. */
  readonly file?: string;
}

export interface Emitted {
  readonly code: string;
  /** The .d.ts; empty for TypeScript. */
  readonly declarations: string;
  /** Source map, revision 3, as JSON. */
  readonly sourceMap: string;
}

const RUNTIME_NAMES = [
  ...['Machine', 'NncError', 'plan', 'kernels', 'begin', 'takeLeaves', 'putLeaves', 'takeCheckpoint', 'putCheckpoint'],
  ...[
    'resetCarries',
    'isWeight',
    'allocate',
    'viewOf',
    'toHalf',
    'countExpressions',
    'namesIn',
    'evaluate',
    'sizeText',
    'stepsOf',
    'Steps',
    'Bound',
    'fail',
    'meets',
    'shapeText',
    'takeStored',
    'storedProblemOf',
    'put',
    'needsWeights',
  ],
  ...[
    'store',
    'quantise',
    'dequantise',
    'storable',
    'nearest',
    'most',
    'f16Bits',
    'f16Value',
    'wordView',
    'floatView',
    'halfValue',
    'Store',
    'Quantised',
    'Storage',
  ],
  ...['wholeSize', 'missing', 'copyIn', 'erf', 'floorDivide', 'modulo', 'uniform', 'permutation'],
  ...[
    'threefryWord0',
    'threefryWord1',
    'View',
    'Held',
    'Memory',
    'Bind',
    'Inputs',
    'Result',
    'Plan',
    'Weights',
    'WeightTensor',
  ],
];

/** JSON without quotes around plain keys, on one line. */
export function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'string')
    return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value).map(
    ([key, v]) => `${/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? key : literal(key)}: ${literal(v)}`,
  );
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

function stepLines(plan: Plan, steps: readonly PlanStep[], indent: string): string[] {
  return steps.flatMap((step) => {
    if (step.kind === 'loop') {
      const { body: _body, ...rest } = step;
      const head = literal(rest).slice(0, -2);
      return [`${indent}${head}, body: [`, ...stepLines(plan, step.body, `${indent}  `), `${indent}] },`];
    }
    const names = (step.kind === 'call' ? step.buffers : [step.from, step.to]).map((b) => plan.buffers[b]!.name);
    const what =
      step.kind === 'call' ? `${plan.kernels[step.kernel]}(${names.join(', ')})` : `${names[1]} = ${names[0]}`;
    return [`${indent}${literal(step)}, // ${what}`];
  });
}

function planLines(plan: Plan, types: boolean): string[] {
  const rows = (key: string, list: readonly unknown[]): string[] =>
    list.length === 0 ? [`  ${key}: [],`] : [`  ${key}: [`, ...list.map((row) => `    ${literal(row)},`), '  ],'];
  const programs = Object.entries(plan.programs).flatMap(([name, p]) => [
    `    ${name}: {`,
    `      name: ${literal(p.name)},`,
    '      steps: [',
    ...stepLines(plan, p.steps, '        '),
    '      ],',
    `      inputs: ${literal(p.inputs)},`,
    `      outputs: ${literal(p.outputs)},`,
    `      infer: ${literal(p.infer)},`,
    `      required: ${literal(p.required)},`,
    '    },',
  ]);
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
    ...rows('leaves', plan.leaves),
    ...rows('inputs', plan.inputs),
    ...rows('requirements', plan.requirements),
    ...(plan.checkpoints === undefined ? [] : rows('checkpoints', plan.checkpoints)),
    `  kernels: ${literal(plan.kernels)},`,
    '  programs: {',
    ...programs,
    '  },',
    '};',
  ];
}

/** Kernel name → how to bind it to arrays. */
function bindLines(kernels: readonly Kernel[], functions: readonly string[], types: boolean): string[] {
  const out = [
    '// Each kernel with its arrays: what a step of the plan becomes when a program is created.',
    `const kernels${types ? ': readonly Bind[]' : ''} = [`,
  ];
  for (const [k, kernel] of kernels.entries()) {
    const names = new Names(['s', functions[k]!]);
    const arrays = kernel.buffers.map((b) => names.take(identifier(b.name)));
    const sizes = kernel.sizes.map((size) => names.take(identifier(size)));
    const args = [
      ...kernel.buffers.map((b, i) => `${arrays[i]}${types ? ` as ${arrayOf(b)}` : ''}`),
      ...sizes.map((size) => (types ? `s[${size}!]!` : `s[${size}]`)),
    ];
    const list = (items: readonly string[]): string => `[${items.join(', ')}]`;
    const head = sizes.length === 0 ? `(${list(arrays)})` : `(${list(arrays)}, s, ${list(sizes)})`;
    out.push(`  ${head} => () => ${functions[k]}(${args.join(', ')}),`);
  }
  out.push('];');
  return out;
}

/** `kernels` and `schedules` in the plan's order. The unit gives the module its name. */
export function emitTypeScript(
  unit: Unit,
  plan: Plan,
  kernels: readonly Kernel[],
  schedules: readonly Schedule[],
  options: EmitOptions,
): Emitted {
  const { types, origins, sources } = options;
  const placeOf = (origin: OriginId) => {
    if (origins === undefined || sources === undefined) return null;
    let row = origins.rows[origin];
    // The library's own text is not the user's: go up to the call in their file.
    while (row !== undefined && row.parent !== null && sources.get(row.span.file).library)
      row = origins.rows[row.parent];
    return row === undefined ? null : row.span;
  };
  const lines: string[] = [];
  const mapped: Mapped[] = [];
  const helpers = new Set<Helper>();
  // A kernel may be called `const` or `missing`; its function may not.
  const own = new Names([...RUNTIME_NAMES, unit.name]);
  const functions = kernels.map((k) => own.take(k.name));
  const taken = [...RUNTIME_NAMES, unit.name, ...functions];

  const files =
    sources === undefined
      ? ''
      : ` from ${sources.files
          .filter((f) => !f.library)
          .map((f) => f.path)
          .join(', ')}`;
  lines.push(
    `// ${unit.name}, compiled by nnc${files}. Kernels, then the plan of memory and steps, the runtime, and the class ${unit.name}.`,
    '',
  );
  for (const [i, kernel] of kernels.entries()) {
    const span = placeOf(kernel.origin);
    const place = span === null ? null : sources!.place(span);
    const emitted = emitKernel(kernel, schedules[i] ?? plainSchedule(kernel), {
      types,
      place,
      taken,
      name: functions[i]!,
    });
    for (const helper of emitted.helpers) helpers.add(helper);
    if (span !== null) {
      const { line, column } = sources!.position(span.file, span.start);
      for (let k = 0; k < emitted.lines.length; k++) {
        mapped.push({ line: lines.length + k, source: span.file, sourceLine: line - 1, sourceColumn: column - 1 });
      }
    }
    lines.push(...emitted.lines, '');
  }
  const text = types ? runtimeText.typescript : runtimeText.javascript;
  if (helpers.has('random')) lines.push(...text.random.trimEnd().split('\n'), '');
  for (const helper of ['erf', 'floorDivide', 'modulo'] as const) {
    if (helpers.has(helper)) lines.push(...text[helper].trimEnd().split('\n'), '');
  }
  lines.push(...bindLines(kernels, functions, types), '', ...planLines(plan, types), '');
  const runtime = [text.machine.trimEnd(), '', ...(isStored(plan) ? [text.store.trimEnd(), ''] : [])].join('\n');
  const made = named(plan.name, runtime, [...functions, ...MODULE_NAMES], (name) =>
    classLines({ ...plan, name }, types),
  );
  lines.push(...made.lines, '', ...made.others.split('\n'));

  return {
    code: lines.join('\n'),
    declarations: types ? '' : declared(plan, runtimeText.declarations, declarationLines),
    sourceMap: sourceMap(options.file ?? `${unit.name}.${types ? 'ts' : 'js'}`, sources?.files ?? [], mapped),
  };
}
