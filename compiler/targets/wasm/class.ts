/** The class that a unit becomes in a module that travels: what is its own, over `Unit` of the runtime. Its comments and types are in the declarations (ts/class.ts). */
import type { Plan } from '../../../runtime/plan.ts';
import { runtimeText } from '../ts/runtime.generated.ts';
import { isStored } from '../ts/class.ts';
import { validated } from '../validated.ts';

const isCarried = (plan: Plan): boolean => plan.leaves.some((leaf) => leaf.kind === 'carry');

export function unitLines(plan: Plan, memory: string): string[] {
  const own = (['step', 'evaluate', 'forward', 'stream'] as const).flatMap((name) => {
    const program = plan.programs[name];
    if (program === undefined) return [];
    const fields = Object.entries(program.outputs).map(([field, buffer]) => ({
      field,
      buffer,
      ...plan.buffers[buffer]!,
    }));
    const copies = (name === 'forward' || name === 'stream') && fields.some((f) => f.shape.length > 0);
    const first = fields.map(
      (f) => `${JSON.stringify(f.field)}: ${f.shape.length > 0 ? 'null' : f.dtype === 'bool' ? 'false' : '0'}`,
    );
    const put = fields.map((f) => {
      const value = f.shape.length > 0 ? `this.tensor(${f.buffer}${copies ? ', options.copy' : ''})` : `views[${f.buffer}][0]${f.dtype === 'bool' ? ' !== 0' : ''}`; // prettier-ignore
      return `result[${JSON.stringify(f.field)}] = ${value};`;
    });
    return [
      `  ${name}Result = { ${first.join(', ')} };`,
      `  ${name}(inputs, sizes${copies ? ', options = {}' : ''}) {`,
      `    const views = this.call('${name}', inputs, sizes), result = ${copies ? 'options.copy ? {} : ' : ''}this.${name}Result;`,
      ...put.map((line) => `    ${line}`),
      '    return result;',
      '  }',
    ];
  });
  const machine = `new Machine(plan, bind, 0, ${memory})`;
  return [
    `export class ${plan.name} extends Unit {`,
    '  static plan = plan;',
    `  static create(options = {}) { return new ${plan.name}(${isStored(plan) ? `Object.assign(${machine}, { store })` : machine}, options); }`,
    ...own,
    ...(isCarried(plan) ? ['  reset() { resetCarries(this.machine, this.carries); }'] : []),
    ...validated(
      plan,
      (buffer) => `this.machine.memory.views[${buffer}][0] = loss;`,
      "this.machine.run('validated', {}, undefined);",
    ).map(({ body }) => `  validated(loss) { ${body.join(' ')} }`),
    ...(plan.kind === 'train' ? ['  get steps() { return this.machine.steps; }'] : []),
    '}',
  ];
}

/** Of the runtime what the plan needs, without the `allocate` that the module has, and as short as it gets: nobody steps through it. */
export function machineText(plan: Plan, threads: boolean): string {
  const { compact } = runtimeText;
  const shapes = [...plan.buffers, ...plan.inputs].flatMap((b) => b.shape);
  const rows = plan.requirements.flatMap(({ left, right }) => [left, right]);
  const needed = {
    expressions: [...shapes, ...rows, ...plan.inputs.map((i) => i.below)].some(
      (e) => e !== null && typeof e === 'object',
    ),
    requirements: plan.requirements.length > 0,
    halves: plan.inputs.some((input) => input.dtype === 'f16'),
    stored: isStored(plan),
  };
  return [
    compact.machine,
    ...(Object.keys(needed) as (keyof typeof needed)[]).map(
      (key) => compact[needed[key] ? key : (`without_${key}` as const)],
    ),
    ...(isCarried(plan) ? [compact.carries] : []),
    ...(isStored(plan) ? [compact.store] : []),
    ...(threads ? [compact.threads] : []),
  ].join('\n');
}
