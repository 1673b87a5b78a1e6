/** Sizes of a call: from what the caller gives and from the inputs' lengths, checked against bounds and requirements. The same rules as on the CPU. */
import { NncError } from '../errors.ts';
import type { View } from '../memory.ts';
import type { Plan, PlanInput, PlanProgram, PlanRequirement, SizeExpr } from '../plan.ts';

export type Env = ReadonlyMap<string, number>;

export function sizeValue(e: SizeExpr, env: Env): number {
  if (typeof e === 'number') return e;
  if (typeof e === 'string') {
    const value = env.get(e);
    if (value === undefined) throw new Error(`no size ${e}`);
    return value;
  }
  const args = e.args.map((a) => sizeValue(a, env));
  switch (e.op) {
    case 'add':
      return args.reduce((a, b) => a + b, 0);
    case 'mul':
      return args.reduce((a, b) => a * b, 1);
    case 'floordiv':
      return Math.floor(args[0]! / args[1]!);
    case 'pow':
      return args[0]! ** args[1]!;
  }
}

export function sizeText(e: SizeExpr): string {
  if (typeof e !== 'object') return String(e);
  const sign = e.op === 'add' ? ' + ' : e.op === 'mul' ? ' * ' : e.op === 'pow' ? ' ^ ' : ' / ';
  const text = e.args
    .map((a) => (typeof a === 'object' && a.op === 'add' ? `(${sizeText(a)})` : sizeText(a)))
    .join(sign);
  return e.op === 'floordiv' ? `floor(${text})` : text;
}

export type Inputs = Readonly<Record<string, View | undefined>>;
export type GivenSizes = Readonly<Record<string, number | undefined>>;

const shapeText = (shape: readonly SizeExpr[]): string => `[${shape.map(sizeText).join(', ')}]`;

function wholeSize(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new NncError('NN533', name, [`The size ${name} must be a whole number from 1, not ${value}.`]);
}

export function missing(input: PlanInput): NncError {
  return new NncError('NN531', input.name, [
    `The input ${input.name} (${input.dtype}${shapeText(input.shape)}) is missing.`,
  ]);
}

function holds(a: number, relation: PlanRequirement['relation'], b: number): boolean {
  switch (relation) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case 'divides':
      return b % a === 0;
  }
}

/** All sizes, those that this program does not use as they were. Throws NncError. */
export function callSizes(plan: Plan, program: PlanProgram, inputs: Inputs, given: GivenSizes, before: Env): Env {
  const env = new Map(before);
  for (const size of program.required) {
    const value = given[size];
    if (value === undefined) {
      throw new NncError('NN533', size, [`The size ${size} does not follow from the inputs: pass { ${size}: … }.`]);
    }
    env.set(size, wholeSize(size, value));
  }
  for (const rule of program.infer) {
    const value = given[rule.size];
    if (value !== undefined) {
      env.set(rule.size, wholeSize(rule.size, value));
      continue;
    }
    const input = plan.inputs.find((i) => i.name === rule.input)!;
    const array = inputs[rule.input];
    if (array === undefined) throw missing(input);
    const others = input.shape.reduce<number>((n, e, k) => (k === rule.axis ? n : n * sizeValue(e, env)), 1);
    const found = (array.length / others - rule.offset) / rule.scale;
    if (!Number.isInteger(found) || found < 1) {
      throw new NncError('NN532', rule.input, [
        `${rule.input}: ${array.length} elements are no whole number of ${shapeText(input.shape)}.`,
      ]);
    }
    env.set(rule.size, found);
  }
  for (const { name, bound } of plan.sizes) {
    const value = env.get(name)!;
    if (value > bound) {
      throw new NncError('NN533', name, [
        `${name} is ${value}, but this program was compiled for at most ${bound}: compile it with a greater bound for ${name}.`,
      ]);
    }
  }
  for (const row of plan.requirements) {
    if (row.program !== undefined && row.program !== program.name) continue;
    const [a, b] = [sizeValue(row.left, env), sizeValue(row.right, env)];
    if (holds(a, row.relation, b)) continue;
    throw new NncError('NN535', null, [
      `${row.message} (${sizeText(row.left)} is ${a}, ${sizeText(row.right)} is ${b}; required: ${sizeText(row.left)} ${row.relation} ${sizeText(row.right)})`,
    ]);
  }
  return env;
}

/** Throws NncError when an input is missing, of another type or length, or holds an index outside its bound. */
export function checkInput(input: PlanInput, array: View | null | undefined, expected: string, env: Env): void {
  if (array === undefined || array === null) throw missing(input);
  if (array.constructor.name !== expected) {
    throw new NncError('NN531', input.name, [`${input.name} must be a ${expected}, not ${array.constructor.name}.`]);
  }
  const extents = input.shape.map((e) => sizeValue(e, env));
  const length = extents.reduce((n, e) => n * e, 1);
  if (array.length !== length) {
    throw new NncError('NN532', input.name, [
      `${input.name} has ${array.length} elements, but ${shapeText(input.shape)} is [${extents.join(', ')}], ${length} elements.`,
    ]);
  }
  if (input.below === null) return;
  const below = sizeValue(input.below, env);
  for (let i = 0; i < length; i++) {
    const value = array[i]!;
    if (value >= 0 && value < below) continue;
    throw new NncError('NN534', input.name, [
      `${input.name}: element ${i} is ${value}, which is no index below ${below}.`,
    ]);
  }
}
