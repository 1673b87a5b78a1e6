/** The class that a unit becomes on WebGPU: like the CPU's, but what waits for the device is a promise. */
import { sizeText } from '../../plan/sizes.ts';
import { isStored } from '../ts/class.ts';
import { validated } from '../validated.ts';
import type { Plan, PlanBuffer, PlanDType, PlanProgram } from '../../../runtime/plan.ts';

const ARRAYS: Readonly<Record<PlanDType, string>> = {
  f32: 'Float32Array',
  f16: 'Float32Array',
  i32: 'Int32Array',
  bool: 'Uint8Array',
};

const isName = (name: string): boolean => /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name);
const property = (name: string): string => (isName(name) ? name : JSON.stringify(name));

interface OutputField {
  readonly name: string;
  readonly buffer: number;
  readonly row: PlanBuffer;
  readonly type: string;
}

interface Method {
  readonly comment: readonly string[];
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly type: string; readonly initial: string | null }[];
  readonly returns: string;
  readonly body: readonly string[];
  readonly before?: string;
}

const outputs = (plan: Plan, program: PlanProgram): OutputField[] =>
  Object.entries(program.outputs).map(([name, buffer]) => {
    const row = plan.buffers[buffer]!;
    const scalar = row.dtype === 'bool' ? 'boolean' : 'number';
    return { name, buffer, row, type: row.shape.length === 0 ? scalar : `Result<${ARRAYS[row.dtype]}>` };
  });

function inputs(plan: Plan, program: PlanProgram): { type: string; lines: string[] } {
  const own = plan.inputs.filter((input) => program.inputs[input.name] !== undefined);
  const fields = own.map((input) => `${property(input.name)}: ${ARRAYS[input.dtype]}`);
  return {
    type: fields.length === 0 ? 'Readonly<Record<string, never>>' : `{ ${fields.join('; ')} }`,
    lines: own.map((input) => {
      const below = input.below === null ? '' : `, each below ${sizeText(input.below)}`;
      return ` * - \`${input.name}\`: ${input.dtype}[${input.shape.map((e) => sizeText(e)).join(', ')}]${below}`;
    }),
  };
}

function sizes(program: PlanProgram): Method['parameters'][number] {
  const fields = [...program.required.map((s) => `${s}: number`), ...program.infer.map((r) => `${r.size}?: number`)];
  return {
    name: 'sizes',
    type: fields.length === 0 ? 'Readonly<Record<string, never>>' : `{ ${fields.join('; ')} }`,
    initial: program.required.length === 0 ? '{}' : null,
  };
}

function programMethods(plan: Plan, name: 'step' | 'evaluate' | 'forward' | 'stream', types: boolean): Method[] {
  const program = plan.programs[name];
  if (program === undefined) return [];
  const fields = outputs(plan, program);
  const taken = inputs(plan, program);
  const what = {
    forward: 'The results for these inputs, read back from the GPU.',
    stream: 'The results for these inputs, going on from where the last call left the carries; `reset` begins anew.',
    step: 'One step of training; updates the parameters and reads the loss back.',
    evaluate: 'Loss and metrics on these inputs; changes nothing.',
  }[name];
  const type =
    fields.length === 0
      ? 'Readonly<Record<string, never>>'
      : `{ ${fields.map((f) => `${property(f.name)}: ${f.type}`).join('; ')} }`;
  const parameters = [{ name: 'inputs', type: taken.type, initial: null }, sizes(program)];
  const bang = types ? '!' : '';
  const parts = fields.map((f) => {
    const found = `found.get(${f.buffer})${bang}`;
    const first = `${found}.data[0]${bang}`;
    const value =
      f.row.shape.length > 0
        ? `${found}${types ? ` as ${f.type}` : ''}`
        : f.row.dtype === 'bool'
          ? `${first} !== 0`
          : first;
    return `${property(f.name)}: ${value}`;
  });
  const list = `[${fields.map((f) => f.buffer).join(', ')}]`;
  const call = `this.machine.submit('${name}', inputs, sizes, ${list})`;
  const run: Method = {
    comment: ['/**', ` * ${what}`, ...taken.lines, ' */'],
    name,
    parameters,
    returns: `Promise<${type}>`,
    body:
      fields.length === 0
        ? [`${call};`, 'await this.machine.finished();', 'return {};']
        : [
            `const reading = ${call};`,
            `const found = await this.machine.collect(reading${bang});`,
            `return { ${parts.join(', ')} };`,
          ],
    before: 'async ',
  };
  if (name !== 'step') return [run];
  return [
    run,
    {
      comment: [
        '/**',
        ' * One step of training, handed to the GPU without waiting and without reading anything back. Wait for `finished()` now and then.',
        ...taken.lines,
        ' */',
      ],
      name: 'enqueue',
      parameters,
      returns: 'void',
      body: ["this.machine.submit('step', inputs, sizes, []);"],
    },
  ];
}

function methods(plan: Plan, types: boolean): Method[] {
  const simple = (
    name: string,
    comment: string,
    parameters: Method['parameters'],
    returns: string,
    body: readonly string[],
    before = '',
  ): Method => ({ comment: [`/** ${comment} */`], name, parameters, returns, body, before });
  const carries = plan.leaves.some((leaf) => leaf.kind === 'carry');
  return [
    {
      comment: [
        '/** Opens a device (or takes one), compiles all kernels, takes all memory that is ever needed and sets the initial weights. */',
      ],
      name: 'create',
      parameters: [{ name: 'options', type: 'GpuCreateOptions', initial: '{}' }],
      returns: `Promise<${plan.name}>`,
      body: [
        'const machine = await GpuMachine.create(plan, table, limits, options);',
        ...(isStored(plan) ? ['machine.store = gpuStore;'] : []),
        `return new ${plan.name}(machine, await begin(machine, options), options);`,
      ],
      before: 'static async ',
    },
    ...(['step', 'evaluate', 'forward', 'stream'] as const).flatMap((name) => programMethods(plan, name, types)),
    ...(carries
      ? [
          simple('reset', 'Sets the carries (recurrent states, caches) to what they are at the start.', [], 'void', [
            'resetCarries(this.machine, this.carries);',
          ]),
        ]
      : []),
    ...validated(
      plan,
      (buffer) => `this.machine.upload(${buffer}, Float32Array.of(loss));`,
      "this.machine.submit('validated', {}, {}, []);",
    ).map(({ comment, body }) =>
      simple('validated', comment, [{ name: 'loss', type: 'number', initial: null }], 'void', body),
    ),
    simple('weights', 'Copies of all parameters and states, by path.', [], 'Promise<Map<string, WeightTensor>>', [
      'return takeLeaves(this.machine, isWeight);',
    ]),
    simple(
      'load',
      'Replaces all parameters and states. Throws one error that lists everything missing, surplus or of another type, and then changes nothing.',
      [{ name: 'weights', type: 'Weights', initial: null }],
      'void',
      ['putLeaves(this.machine, weights, isWeight);'],
    ),
    simple(
      'checkpoint',
      'Everything that training needs to go on: weights, optimizer state, seed, number of steps done.',
      [],
      'Promise<Checkpoint>',
      ['return takeCheckpoint(this.machine);'],
    ),
    simple(
      'restore',
      'Goes back to a checkpoint.',
      [{ name: 'checkpoint', type: 'Checkpoint', initial: null }],
      'void',
      ['putCheckpoint(this.machine, checkpoint);'],
    ),
    simple(
      'recover',
      'After NN542, a lost device: opens another, compiles anew, and goes on from a checkpoint.',
      [{ name: 'checkpoint', type: 'Checkpoint', initial: null }],
      'Promise<void>',
      ['this.machine = await reopened(this.machine, table, limits, this.options, checkpoint);'],
      'async ',
    ),
    simple(
      'finished',
      'Waits until the GPU has done all that it was given; throws what went wrong there.',
      [],
      'Promise<void>',
      ['return this.machine.finished();'],
    ),
    simple('close', 'Gives the memory on the GPU back, and the device unless it was given.', [], 'void', [
      'this.machine.destroy();',
    ]),
  ];
}

function signature(m: Method, types: boolean, declaration: boolean): string {
  const list = m.parameters.map((p) => {
    if (!types) return p.initial === null ? p.name : `${p.name} = ${p.initial}`;
    if (declaration) return `${p.name}${p.initial === null ? '' : '?'}: ${p.type}`;
    return `${p.name}: ${p.type}${p.initial === null ? '' : ` = ${p.initial}`}`;
  });
  const before = declaration ? (m.before ?? '').replace('async ', '') : (m.before ?? '');
  return `${before}${m.name}(${list.join(', ')})${types ? `: ${m.returns}` : ''}`;
}

export function classLines(plan: Plan, types: boolean): string[] {
  const carries = plan.leaves.some((leaf) => leaf.kind === 'carry');
  const hidden = types ? 'private readonly ' : '';
  const changing = types ? 'private ' : '';
  const out = [
    `export class ${plan.name} {`,
    '  /** Inputs, sizes and leaves as data. */',
    `  static${types ? ' readonly' : ''} plan${types ? ': Plan' : ''} = plan;`,
    `  ${changing}machine${types ? ': GpuMachine' : ''};`,
    `  ${hidden}options${types ? ': GpuCreateOptions' : ''};`,
    ...(carries ? [`  ${hidden}carries${types ? ': Weights' : ''};`] : []),
    '',
    `  ${types ? 'private ' : ''}constructor(machine${types ? ': GpuMachine' : ''}, ${carries ? 'carries' : '_carries'}${types ? ': Weights' : ''}, options${types ? ': GpuCreateOptions' : ''}) {`,
    '    this.machine = machine;',
    '    this.options = options;',
    ...(carries ? ['    this.carries = carries;'] : []),
    '  }',
  ];
  for (const m of methods(plan, types)) {
    out.push('', ...m.comment.map((l) => `  ${l}`), `  ${signature(m, types, false)} {`);
    out.push(...m.body.map((l) => `    ${l}`), '  }');
  }
  if (plan.kind === 'train') {
    out.push('', '  /** Steps of training done so far. */', `  get steps()${types ? ': number' : ''} {`);
    out.push('    return this.machine.steps;', '  }');
  }
  out.push('}');
  return out;
}

/** The .d.ts beside a JavaScript module. */
export function declarationLines(plan: Plan): string[] {
  const out = [
    `export declare class ${plan.name} {`,
    '  /** Inputs, sizes and leaves as data. */',
    '  static readonly plan: Plan;',
    '  private constructor();',
  ];
  for (const m of methods(plan, true)) out.push(...m.comment.map((l) => `  ${l}`), `  ${signature(m, true, true)};`);
  if (plan.kind === 'train') out.push('  /** Steps of training done so far. */', '  get steps(): number;');
  out.push('}');
  return out;
}
