/**
 * Runs the programs of a plan. A call checks and copies the inputs, finds the sizes, and runs what the program was bound to: a function of WebAssembly, or closures over
 * its arrays (steps.ts). A call allocates nothing: sizes live in one Int32Array, results on the arena.
 */
import { NncError, type NncErrorCode } from './errors.ts';
import { allocate, toHalf, type Memory, type View } from './memory.ts';
import type { Plan, PlanInput, PlanLeaf, PlanProgram, PlanRequirement, SizeExpr } from './plan.ts';
import type { WeightTensor } from './weights.ts';

/** Reading and writing leaves that are kept in fewer bytes: store.ts. */
export interface Store {
  readonly problem: (leaf: PlanLeaf, tensor: WeightTensor) => string | null;
  readonly put: (machine: Machine, leaf: PlanLeaf, tensor: WeightTensor) => void;
  readonly take: (machine: Machine, leaf: PlanLeaf) => WeightTensor;
}

export type Inputs = Readonly<Record<string, View | undefined>>;
export type GivenSizes = Readonly<Record<string, number | undefined>>;

/** A tensor on the arena: valid until the next call. */
export interface Result<A extends View = View> {
  readonly shape: readonly number[];
  readonly data: A;
}

/** What runs the programs of a plan, by name. */
export interface Bound {
  readonly run: Readonly<Record<string, () => void>>;
  /** After sizes have changed. */
  readonly resized?: () => void;
}

interface InputSlot {
  readonly input: PlanInput;
  readonly view: View;
}

interface Program {
  readonly plan: PlanProgram;
  readonly run: () => void;
  readonly inputs: readonly InputSlot[];
  /** Per inference: the input it reads. */
  readonly inferred: readonly InputSlot[];
  readonly seed: View | null;
  readonly step: View | null;
}

export class Machine {
  readonly plan: Plan;
  readonly memory: Memory;
  seed: number;
  /** For leaves that are kept in fewer bytes; null where there are none. */
  store: Store | null = null;
  /** Steps of training done. */
  steps = 0;
  readonly sizes: Int32Array;
  /** Size → its place in `sizes`. */
  readonly places: ReadonlyMap<string, number>;
  private readonly proposed: Int32Array;
  private readonly bound: Bound;
  private readonly programs: ReadonlyMap<string, Program>;
  private readonly results = new Map<number, { version: number; result: Result }>();
  /** Grows when sizes change. */
  private version = 0;
  /** Whether the present sizes meet the requirements. */
  private allowed = false;

  /** Sizes begin at their bounds. */
  constructor(plan: Plan, bind: (machine: Machine) => Bound, seed: number, memory: Memory = allocate(plan)) {
    this.plan = plan;
    this.memory = memory;
    this.seed = seed;
    this.sizes = Int32Array.from(plan.sizes, (size) => size.bound);
    this.proposed = this.sizes.slice();
    this.places = new Map(plan.sizes.map((size, k) => [size.name, k]));
    this.bound = bind(this);
    this.programs = new Map(Object.entries(plan.programs).map(([name, own]) => [name, this.program(name, own)]));
    this.bound.resized?.();
  }

  private program(name: string, plan: PlanProgram): Program {
    const view = (input: string): View => this.memory.views[plan.inputs[input]!]! as View;
    const inputs = this.plan.inputs
      .filter((input) => input.name in plan.inputs)
      .map((input): InputSlot => ({ input, view: view(input.name) }));
    const scalar = (input: string): View | null =>
      input in plan.inputs && this.plan.buffers[plan.inputs[input]!]!.kind === 'scalar' ? view(input) : null;
    return {
      plan,
      run: this.bound.run[name]!,
      inputs,
      inferred: plan.infer.map((rule) => inputs.find((slot) => slot.input.name === rule.input)!),
      seed: scalar('seed'),
      step: scalar('step'),
    };
  }

  // ------------------------------------------------------------------------------------------------------------------------------- calls

  /** Checks and copies the inputs, then runs the program. Throws NncError before anything has changed. */
  run(name: string, inputs: Inputs, given: GivenSizes | undefined): void {
    const program = this.programs.get(name);
    if (program === undefined) throw new Error(`${this.plan.name} has no program ${name}`);
    this.resolve(program, inputs, given);
    this.require(name);
    const slots = program.inputs;
    for (let i = 0; i < slots.length; i++) this.check(slots[i]!, inputs);
    for (let i = 0; i < slots.length; i++) copyIn(slots[i]!, inputs[slots[i]!.input.name]!);
    this.start(program, name === 'step' ? this.steps + 1 : this.steps);
    if (name === 'step') this.steps++;
  }

  /** The first values of everything persistent, at the bounds. */
  initialise(): void {
    const program = this.programs.get('init');
    if (program !== undefined) this.start(program, 0);
  }

  private start(program: Program, step: number): void {
    if (program.seed !== null) program.seed[0] = this.seed;
    if (program.step !== null) program.step[0] = step;
    program.run();
  }

  private resolve(program: Program, inputs: Inputs, given: GivenSizes | undefined): void {
    const { proposed, sizes } = this;
    const table = this.plan.sizes;
    for (let i = 0; i < table.length; i++) proposed[i] = sizes[i]!;
    const { required, infer } = program.plan;
    for (let i = 0; i < required.length; i++) {
      const size = required[i]!;
      const value = given?.[size];
      if (value === undefined) {
        fail('NN533', size, `The size ${size} does not follow from the inputs: pass { ${size}: … }.`);
      }
      proposed[this.places.get(size)!] = wholeSize(size, value);
    }
    for (let i = 0; i < infer.length; i++) {
      const rule = infer[i]!;
      const place = this.places.get(rule.size)!;
      const value = given?.[rule.size];
      if (value !== undefined) {
        proposed[place] = wholeSize(rule.size, value);
        continue;
      }
      const slot = program.inferred[i]!;
      const array = inputs[rule.input];
      if (array === undefined) throw missing(slot.input);
      let others = 1;
      for (let k = 0; k < slot.input.shape.length; k++) {
        if (k !== rule.axis) others *= evaluate(slot.input.shape[k]!, this.places, proposed);
      }
      const found = (array.length / others - rule.offset) / rule.scale;
      if (!Number.isInteger(found) || found < 1) {
        fail('NN532', rule.input, `${rule.input}: ${array.length} elements are no whole number of ${shapeText(slot.input.shape)}.`); // prettier-ignore
      }
      proposed[place] = found;
    }
    let changed = false;
    for (let i = 0; i < table.length; i++) {
      const value = proposed[i]!;
      if (value === sizes[i]) continue;
      changed = true;
      const { name, bound } = table[i]!;
      if (value > bound) {
        fail('NN533', name, `${name} is ${value}, but this program was compiled for at most ${bound}: compile it with a greater bound for ${name}.`); // prettier-ignore
      }
    }
    if (!changed && this.allowed) return;
    sizes.set(proposed);
    this.version++;
    this.bound.resized?.();
    this.allowed = false;
    this.require(null);
    this.allowed = true;
  }

  /** The requirements of every program (`null`), or of one alone. */
  private require(program: string | null): void {
    const rows = this.plan.requirements;
    for (let i = 0; i < rows.length; i++)
      if ((rows[i]!.program ?? null) === program) meets(rows[i]!, this.places, this.sizes);
  }

  private check({ input, view }: InputSlot, inputs: Inputs): void {
    const { name, shape, below } = input;
    const array = inputs[name];
    if (array === undefined || array === null) throw missing(input);
    if (array.constructor !== view.constructor)
      fail('NN531', name, `${name} must be a ${view.constructor.name}, not ${array.constructor.name}.`);
    let length = 1;
    for (let i = 0; i < shape.length; i++) length *= evaluate(shape[i]!, this.places, this.sizes);
    // Closures are made elsewhere: a function that has one pays for it in every call.
    if (array.length !== length) throw wrongLength(input, array.length, length, this.extents(shape));
    if (below === null) return;
    const limit = evaluate(below, this.places, this.sizes);
    for (let i = 0; i < length; i++) {
      const value = array[i]!;
      if (!(value >= 0 && value < limit))
        fail('NN534', name, `${name}: element ${i} is ${value}, which is no index below ${limit}.`);
    }
  }

  private extents(shape: readonly SizeExpr[]): number[] {
    return shape.map((e) => evaluate(e, this.places, this.sizes));
  }

  // ----------------------------------------------------------------------------------------------------------------------------- results

  shape(buffer: number): number[] {
    return this.extents(this.plan.buffers[buffer]!.shape);
  }

  /** A result on the arena. The same object comes back while the sizes stay. */
  result(buffer: number): Result {
    const known = this.results.get(buffer);
    if (known?.version === this.version) return known.result;
    const shape = this.shape(buffer);
    const length = shape.reduce((n, extent) => n * extent, 1);
    const result: Result = { shape, data: (this.memory.views[buffer]! as View).subarray(0, length) };
    this.results.set(buffer, { version: this.version, result });
    return result;
  }

  copied(buffer: number): Result {
    const { shape, data } = this.result(buffer);
    return { shape: [...shape], data: data.slice() };
  }
}

function fail(code: NncErrorCode, input: string | null, problem: string): never {
  throw new NncError(code, input, [problem]);
}

function evaluate(e: SizeExpr, places: ReadonlyMap<string, number>, sizes: Int32Array): number {
  if (typeof e === 'number') return e;
  if (typeof e === 'string') return sizes[places.get(e)!]!;
  let value = e.op === 'add' ? 0 : 1;
  if (e.op === 'add') for (const a of e.args) value += evaluate(a, places, sizes);
  else if (e.op === 'mul') for (const a of e.args) value *= evaluate(a, places, sizes);
  else {
    const a = evaluate(e.args[0]!, places, sizes);
    const b = evaluate(e.args[1]!, places, sizes);
    value = e.op === 'floordiv' ? Math.floor(a / b) : a ** b;
  }
  return value;
}

function sizeText(e: SizeExpr): string {
  if (typeof e !== 'object') return String(e);
  const sign = e.op === 'add' ? ' + ' : e.op === 'mul' ? ' * ' : e.op === 'pow' ? ' ^ ' : ' / ';
  const text = e.args
    .map((a) => (typeof a === 'object' && a.op === 'add' ? `(${sizeText(a)})` : sizeText(a)))
    .join(sign);
  return e.op === 'floordiv' ? `floor(${text})` : text;
}

function wholeSize(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  return fail('NN533', name, `The size ${name} must be a whole number from 1, not ${value}.`);
}

const shapeText = (shape: readonly SizeExpr[]): string => `[${shape.map(sizeText).join(', ')}]`;

function wrongLength(input: PlanInput, found: number, expected: number, extents: readonly number[]): NncError {
  return new NncError('NN532', input.name, [
    `${input.name} has ${found} elements, but ${shapeText(input.shape)} is [${extents.join(', ')}], ${expected} elements.`,
  ]);
}

function missing(input: PlanInput): NncError {
  return new NncError('NN531', input.name, [
    `The input ${input.name} (${input.dtype}${shapeText(input.shape)}) is missing.`,
  ]);
}

function meets(
  { message, relation, left, right }: PlanRequirement,
  places: ReadonlyMap<string, number>,
  sizes: Int32Array,
): void {
  const a = evaluate(left, places, sizes);
  const b = evaluate(right, places, sizes);
  const is = { '==': a === b, '!=': a !== b, '<': a < b, '<=': a <= b, divides: b % a === 0 }[relation];
  if (is) return;
  const texts = [sizeText(left), sizeText(right)];
  fail(
    'NN535',
    null,
    `${message} (${texts[0]} is ${a}, ${texts[1]} is ${b}; required: ${texts[0]} ${relation} ${texts[1]})`,
  );
}

function copyIn(slot: InputSlot, array: View): void {
  if (slot.input.dtype === 'f16') for (let i = 0; i < array.length; i++) slot.view[i] = toHalf(array[i]!);
  else slot.view.set(array);
}
