/**
 * The class that a unit becomes: its text in TypeScript or JavaScript, and its declarations. Everything that a caller can see is here; the work is
 * the runtime's.
 */
import { sizeText } from '../../plan/sizes.ts';
import type { Plan, PlanBuffer, PlanDType, PlanProgram } from '../../../runtime/plan.ts';
import { validated } from '../validated.ts';
import { ARRAYS } from './kernel.ts';

interface OutputField {
  readonly name: string;
  readonly buffer: number;
  readonly row: PlanBuffer;
  readonly type: string;
}

const property = (name: string): string => (/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : JSON.stringify(name));
const member = (name: string): string =>
  /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;

const shapeText = (dtype: PlanDType, b: { readonly shape: PlanBuffer['shape'] }): string =>
  `${dtype}[${b.shape.map((e) => sizeText(e)).join(', ')}]`;

function outputs(plan: Plan, program: PlanProgram): OutputField[] {
  return Object.entries(program.outputs).map(([name, buffer]) => {
    const row = plan.buffers[buffer]!;
    const scalar = row.dtype === 'bool' ? 'boolean' : 'number';
    return { name, buffer, row, type: row.shape.length === 0 ? scalar : `Result<${ARRAYS[row.dtype]}>` };
  });
}

function inputType(plan: Plan, program: PlanProgram): string {
  const fields = plan.inputs
    .filter((input) => program.inputs[input.name] !== undefined)
    .map((input) => `${property(input.name)}: ${ARRAYS[input.dtype]}`);
  return fields.length === 0 ? 'Readonly<Record<string, never>>' : `{ ${fields.join('; ')} }`;
}

function inputLines(plan: Plan, program: PlanProgram): string[] {
  return plan.inputs
    .filter((input) => program.inputs[input.name] !== undefined)
    .map((input) => {
      const below = input.below === null ? '' : `, each below ${sizeText(input.below)}`;
      return ` * - \`${input.name}\`: ${shapeText(input.dtype, input)}${below}`;
    });
}

function sizesType(program: PlanProgram): { text: string; optional: boolean } {
  const fields = [...program.required.map((s) => `${s}: number`), ...program.infer.map((r) => `${r.size}?: number`)];
  return {
    text: fields.length === 0 ? 'Readonly<Record<string, never>>' : `{ ${fields.join('; ')} }`,
    optional: program.required.length === 0,
  };
}

interface Method {
  readonly comment: readonly string[];
  readonly name: string;
  /** `name: type`, with `= …` for defaults. */
  readonly parameters: readonly {
    readonly name: string;
    readonly type: string;
    readonly initial: string | null;
    readonly optional: boolean;
  }[];
  readonly returns: string;
  readonly body: readonly string[];
  readonly isStatic: boolean;
}

const plain = (name: string, type: string): Method['parameters'][number] => ({
  name,
  type,
  initial: null,
  optional: false,
});

function programMethod(
  plan: Plan,
  name: 'forward' | 'stream' | 'step' | 'evaluate',
  copies: boolean,
  types: boolean,
): Method | null {
  const program = plan.programs[name];
  if (program === undefined) return null;
  const fields = outputs(plan, program);
  const sizes = sizesType(program);
  const tensors = fields.filter((f) => f.row.shape.length > 0);
  const what = {
    forward: 'The results for these inputs.',
    stream: 'The results for these inputs, going on from where the last call left the carries; `reset` begins anew.',
    step: 'One step of training; updates the parameters.',
    evaluate: 'Loss and metrics on these inputs; changes nothing.',
  }[name];
  const lines = fields.map((f) => {
    const field = `result${member(f.name)}`;
    const first = `machine.memory.views[${f.buffer}]${types ? '!' : ''}[0]`;
    if (f.row.shape.length === 0)
      return `${field} = ${first}${types ? '!' : ''}${f.row.dtype === 'bool' ? ' !== 0' : ''};`;
    const cast = types ? ` as ${f.type}` : '';
    return `${field} = ${copies ? `copy ? (machine.copied(${f.buffer})${cast}) : (machine.result(${f.buffer})${cast})` : `machine.result(${f.buffer})${cast}`};`;
  });
  const note =
    tensors.length === 0
      ? ' * The returned object is the same one each time.'
      : copies
        ? ' * The returned object and the arrays in it are valid until the next call; with `copy` they are new ones.'
        : ' * The returned object and the arrays in it are valid until the next call.';
  const parameters = [
    plain('inputs', inputType(plan, program)),
    { name: 'sizes', type: sizes.text, initial: null, optional: sizes.optional },
  ];
  if (copies && tensors.length > 0)
    parameters.push({ name: 'options', type: '{ copy?: boolean }', initial: '{}', optional: true });
  const type =
    fields.length === 0
      ? 'Readonly<Record<string, never>>'
      : `{ ${fields.map((f) => `${property(f.name)}: ${f.type}`).join('; ')} }`;
  const result =
    copies && tensors.length > 0 ? `copy ? { ...this.${name}Result } : this.${name}Result` : `this.${name}Result`;
  return {
    comment: ['/**', ` * ${what}`, ...inputLines(plan, program), note, ' */'],
    name,
    parameters,
    returns: type,
    body: [
      'const { machine } = this;',
      `machine.run('${name}', inputs, sizes);`,
      ...(copies && tensors.length > 0 ? ['const { copy = false } = options;'] : []),
      `const result = ${result};`,
      ...lines,
      'return result;',
    ],
    isStatic: false,
  };
}

function methods(plan: Plan, types: boolean): Method[] {
  const doc = (text: string): string[] => [`/** ${text} */`];
  const method = (
    name: string,
    comment: string,
    parameters: Method['parameters'],
    returns: string,
    body: readonly string[],
  ): Method => ({
    comment: doc(comment),
    name,
    parameters,
    returns,
    body,
    isStatic: false,
  });
  const own = (['step', 'evaluate', 'forward', 'stream'] as const).flatMap((name) => {
    const made = programMethod(plan, name, name === 'forward' || name === 'stream', types);
    return made === null ? [] : [made];
  });
  const carries = plan.leaves.some((leaf) => leaf.kind === 'carry');
  return [
    {
      ...method(
        'create',
        'Takes all memory that is ever needed and sets the initial weights, drawn by `seed` or as given.',
        [{ name: 'options', type: 'CreateOptions', initial: '{}', optional: true }],
        plan.name,
        [`return new ${plan.name}(options);`],
      ),
      isStatic: true,
    },
    ...own,
    ...(carries
      ? [
          method('reset', 'Sets the carries (recurrent states, caches) to what they are at the start.', [], 'void', [
            'resetCarries(this.machine, this.carries);',
          ]),
        ]
      : []),
    ...validated(
      plan,
      (buffer) => `this.machine.memory.views[${buffer}]${types ? '!' : ''}[0] = loss;`,
      "this.machine.run('validated', {}, undefined);",
    ).map(({ comment, body }) => method('validated', comment, [plain('loss', 'number')], 'void', body)),
    method('weights', 'Copies of all parameters and states, by path.', [], 'Map<string, WeightTensor>', [
      'return takeLeaves(this.machine, isWeight);',
    ]),
    method(
      'load',
      'Replaces all parameters and states. Throws one error that lists everything missing, surplus or of another type, and then changes nothing.',
      [plain('weights', 'Weights')],
      'void',
      ['putLeaves(this.machine, weights, isWeight);'],
    ),
    method(
      'checkpoint',
      'Everything that training needs to go on: weights, optimizer state, seed, number of steps done.',
      [],
      'Checkpoint',
      ['return takeCheckpoint(this.machine);'],
    ),
    method(
      'restore',
      'Goes back to a checkpoint; what follows is bit for bit what followed it.',
      [plain('checkpoint', 'Checkpoint')],
      'void',
      ['putCheckpoint(this.machine, checkpoint);'],
    ),
    method('close', 'Ends the threads, if there are any. What follows runs on one.', [], 'void', [
      'this.machine.memory.close?.();',
    ]),
  ];
}

const signature = (m: Method, types: boolean, declaration: boolean): string => {
  const list = m.parameters.map((p) => {
    if (!types) return p.initial === null ? p.name : `${p.name} = ${p.initial}`;
    if (p.initial !== null && !declaration) return `${p.name}: ${p.type} = ${p.initial}`;
    return `${p.name}${p.optional ? '?' : ''}: ${p.type}`;
  });
  return `${m.isStatic ? 'static ' : ''}${m.name}(${list.join(', ')})${types ? `: ${m.returns}` : ''}`;
};

function resultFields(plan: Plan, types: boolean): string[] {
  return (['step', 'evaluate', 'forward', 'stream'] as const).flatMap((name) => {
    const program = plan.programs[name];
    if (program === undefined) return [];
    const fields = outputs(plan, program);
    const initial = fields.map((f) => {
      const empty = `{ shape: [], data: new ${ARRAYS[f.row.dtype]}(0) }`;
      const value = f.row.shape.length > 0 ? empty : f.row.dtype === 'bool' ? 'false' : '0';
      return `${property(f.name)}: ${value}${types ? ` as ${f.type}` : ''}`;
    });
    return [`${types ? 'private readonly ' : ''}${name}Result = { ${initial.join(', ')} };`];
  });
}

/** Whether a program keeps parameters in fewer bytes: then its module has the runtime's `store`. */
export const isStored = (plan: Plan): boolean => plan.leaves.some((leaf) => leaf.stored !== undefined);

/** The class; indentation of two. `memory`: where it comes from, if not from the machine. */
export function classLines(plan: Plan, types: boolean, memory: string | null = null): string[] {
  const carries = plan.leaves.some((leaf) => leaf.kind === 'carry');
  const hidden = types ? 'private readonly ' : '';
  const out = [`export class ${plan.name} {`];
  out.push(
    '  /** Inputs, sizes and leaves as data. */',
    `  static${types ? ' readonly' : ''} plan${types ? ': Plan' : ''} = plan;`,
  );
  out.push(`  ${hidden}machine${types ? ': Machine' : ''};`);
  if (carries) out.push(`  ${hidden}carries${types ? ': Weights' : ''};`);
  for (const field of resultFields(plan, types)) out.push(`  ${field}`);
  out.push('', `  ${types ? 'private ' : ''}constructor(options${types ? ': CreateOptions' : ''}) {`);
  out.push(
    `    this.machine = new Machine(plan, (machine) => stepsOf(machine, kernels), 0${memory === null ? '' : `, ${memory}`});`,
  );
  if (isStored(plan)) out.push('    this.machine.store = store;');
  out.push(`    ${carries ? 'this.carries = ' : ''}begin(this.machine, options);`, '  }');
  for (const m of methods(plan, types)) {
    out.push(
      '',
      ...m.comment.map((l) => `  ${l}`),
      `  ${signature(m, types, false)} {`,
      ...m.body.map((l) => `    ${l}`),
      '  }',
    );
  }
  const train = plan.kind === 'train';
  if (train) {
    out.push(
      '',
      '  /** Steps of training done so far. */',
      `  get steps()${types ? ': number' : ''} {`,
      '    return this.machine.steps;',
      '  }',
    );
  }
  out.push('}');
  return out;
}

/** The .d.ts beside a JavaScript module; `shared` is the text of the runtime's types. */
export function declarationLines(plan: Plan): string[] {
  const out = [
    `export declare class ${plan.name} {`,
    '  /** Inputs, sizes and leaves as data. */',
    '  static readonly plan: Plan;',
  ];
  out.push('  private constructor();');
  for (const m of methods(plan, true)) out.push(...m.comment.map((l) => `  ${l}`), `  ${signature(m, true, true)};`);
  if (plan.kind === 'train') out.push('  /** Steps of training done so far. */', '  get steps(): number;');
  out.push('}');
  return out;
}
