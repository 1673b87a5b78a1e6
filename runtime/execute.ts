/**
 * Runs the programs of a plan. When created, every step becomes one closure over its arrays; a call then checks and copies the inputs, computes the
 * sizes that kernels take, and calls the closures in order. A call allocates nothing: sizes live in one Int32Array, results on the arena.
 */
import { NncError } from './errors.ts';
import { allocate, toHalf, type Held, type Memory, type View } from './memory.ts';
import type { Plan, PlanInput, PlanLeaf, PlanProgram, PlanRequirement, PlanStep, SizeExpr } from './plan.ts';
import type { WeightTensor } from './weights.ts';

/** Reading and writing leaves that are kept in fewer bytes: store.ts. */
export interface Store {
  readonly problem: (leaf: PlanLeaf, tensor: WeightTensor) => string | null;
  readonly put: (machine: Machine, leaf: PlanLeaf, tensor: WeightTensor) => void;
  readonly take: (machine: Machine, leaf: PlanLeaf) => WeightTensor;
}

/** Binds a kernel to its arrays; `at` are the places in `sizes` of its integer parameters. */
export type Bind = (arrays: readonly Held[], sizes: Int32Array, at: readonly number[]) => () => void;

export type Inputs = Readonly<Record<string, View | undefined>>;
export type GivenSizes = Readonly<Record<string, number | undefined>>;

/** A tensor on the arena: valid until the next call. */
export interface Result<A extends View = View> {
  readonly shape: readonly number[];
  readonly data: A;
}

interface Computed {
  readonly slot: number;
  readonly value: () => number;
}

interface InputSlot {
  readonly input: PlanInput;
  readonly view: View;
  /** Places of the extents. */
  readonly shape: readonly number[];
  readonly below: number | null;
}

interface Program {
  readonly plan: PlanProgram;
  readonly steps: readonly (() => void)[];
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
  private readonly sizes: Int32Array;
  private readonly proposed: Int32Array;
  private readonly places = new Map<string, number>();
  private readonly computed: Computed[] = [];
  private readonly ofLoop = new Map<string, Computed[]>();
  private readonly programs = new Map<string, Program>();
  private readonly requirements: readonly { readonly row: PlanRequirement; left: number; right: number }[];
  private readonly results = new Map<number, { version: number; result: Result }>();
  /** Grows when sizes change. */
  private version = 0;
  /** Whether the present sizes meet the requirements. */
  private allowed = false;

  constructor(plan: Plan, kernels: readonly Bind[], seed: number, memory: Memory = allocate(plan)) {
    this.plan = plan;
    this.memory = memory;
    this.seed = seed;
    const room = plan.sizes.length + countExpressions(plan);
    this.sizes = new Int32Array(room);
    this.proposed = new Int32Array(plan.sizes.length);
    for (const size of plan.sizes) {
      this.sizes[this.places.size] = size.bound;
      this.places.set(size.name, this.places.size);
    }
    this.requirements = plan.requirements.map((row) => ({
      row,
      left: this.place(row.left),
      right: this.place(row.right),
    }));
    for (const name of Object.keys(plan.programs)) this.programs.set(name, this.program(plan.programs[name]!, kernels));
    for (let i = 0; i < this.computed.length; i++) this.compute(this.computed[i]!);
  }

  // ----------------------------------------------------------------------------------------------------------------------------- set up

  /** The place in `sizes` that holds this expression's value. */
  private place(e: SizeExpr): number {
    const key = typeof e === 'string' ? e : JSON.stringify(e);
    const known = this.places.get(key);
    if (known !== undefined) return known;
    const slot = this.places.size;
    this.places.set(key, slot);
    // A loop variable: set by its loop.
    if (typeof e === 'string') return slot;
    if (typeof e === 'number') {
      this.sizes[slot] = e;
      return slot;
    }
    const computed: Computed = { slot, value: this.evaluator(e) };
    this.computed.push(computed);
    for (const variable of namesIn(e)) this.ofLoop.get(variable)?.push(computed);
    return slot;
  }

  private evaluator(e: SizeExpr): () => number {
    const { sizes } = this;
    if (typeof e === 'number') return () => e;
    if (typeof e === 'string') {
      const slot = this.place(e);
      return () => sizes[slot]!;
    }
    const args = e.args.map((a) => this.evaluator(a));
    switch (e.op) {
      case 'add':
        return () => {
          let sum = 0;
          for (let i = 0; i < args.length; i++) sum += args[i]!();
          return sum;
        };
      case 'mul':
        return () => {
          let product = 1;
          for (let i = 0; i < args.length; i++) product *= args[i]!();
          return product;
        };
      case 'floordiv':
        return () => Math.floor(args[0]!() / args[1]!());
      case 'pow':
        return () => args[0]!() ** args[1]!();
    }
  }

  private compute(c: Computed): void {
    this.sizes[c.slot] = c.value();
  }

  private program(plan: PlanProgram, kernels: readonly Bind[]): Program {
    const { views } = this.memory;
    const inputs = this.plan.inputs
      .filter((input) => plan.inputs[input.name] !== undefined)
      .map((input): InputSlot => ({
        input,
        view: views[plan.inputs[input.name]!]! as View,
        shape: input.shape.map((e) => this.place(e)),
        below: input.below === null ? null : this.place(input.below),
      }));
    const scalar = (name: string): View | null => {
      const buffer = plan.inputs[name];
      return buffer === undefined || this.plan.buffers[buffer]!.kind !== 'scalar' ? null : (views[buffer]! as View);
    };
    for (const buffer of Object.values(plan.outputs)) {
      for (const e of this.plan.buffers[buffer]!.shape) this.place(e);
    }
    return {
      plan,
      steps: this.closures(plan.steps, kernels),
      inputs,
      inferred: plan.infer.map((rule) => inputs.find((slot) => slot.input.name === rule.input)!),
      seed: scalar('seed'),
      step: scalar('step'),
    };
  }

  private closures(steps: readonly PlanStep[], kernels: readonly Bind[]): (() => void)[] {
    const { sizes } = this;
    const { views } = this.memory;
    return steps.map((step): (() => void) => {
      switch (step.kind) {
        case 'call':
          return kernels[step.kernel]!(
            step.buffers.map((b) => views[b]!),
            sizes,
            step.sizes.map((e) => this.place(e)),
          );
        case 'copy': {
          const from = views[step.from]!;
          const to = views[step.to]!;
          const length = this.place({ op: 'mul', args: [1, ...this.plan.buffers[step.from]!.shape] });
          return () => {
            const n = sizes[length]!;
            for (let i = 0; i < n; i++) to[i] = from[i]!;
          };
        }
        case 'loop': {
          const variable = this.place(step.variable);
          const count = this.place(step.count);
          const outer = this.ofLoop.get(step.variable);
          const changing: Computed[] = [];
          this.ofLoop.set(step.variable, changing);
          const body = this.closures(step.body, kernels);
          if (outer === undefined) this.ofLoop.delete(step.variable);
          else this.ofLoop.set(step.variable, outer);
          // Expressions known from elsewhere change with the variable too.
          for (const c of this.computed) {
            if (!changing.includes(c) && this.dependsOn(c, step.variable)) changing.push(c);
          }
          const { reversed } = step;
          const limit = step.limit === undefined ? null : views[step.limit]!;
          const until = step.until === undefined ? null : views[step.until]!;
          return () => {
            const all = sizes[count]!;
            const rounds = limit === null ? all : Math.min(all, limit[0]!);
            for (let i = 0; i < rounds; i++) {
              sizes[variable] = reversed ? rounds - 1 - i : i;
              for (let j = 0; j < changing.length; j++) sizes[changing[j]!.slot] = changing[j]!.value();
              for (let j = 0; j < body.length; j++) body[j]!();
              if (until !== null && until[0] !== 0) break;
            }
          };
        }
      }
    });
  }

  private dependsOn(c: Computed, variable: string): boolean {
    for (const [key, slot] of this.places) {
      if (slot === c.slot) return namesIn(JSON.parse(key) as SizeExpr).includes(variable);
    }
    return false;
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
    const { steps } = program;
    for (let i = 0; i < steps.length; i++) steps[i]!();
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
        throw new NncError('NN533', size, [`The size ${size} does not follow from the inputs: pass { ${size}: … }.`]);
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
        throw new NncError('NN532', rule.input, [
          `${rule.input}: ${array.length} elements are no whole number of [${slot.input.shape.map(sizeText).join(', ')}].`,
        ]);
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
        throw new NncError('NN533', name, [
          `${name} is ${value}, but this program was compiled for at most ${bound}: compile it with a greater bound for ${name}.`,
        ]);
      }
    }
    if (!changed && this.allowed) return;
    sizes.set(proposed);
    this.version++;
    for (let i = 0; i < this.computed.length; i++) this.compute(this.computed[i]!);
    this.allowed = false;
    this.require(null);
    this.allowed = true;
  }

  /** The requirements of every program (`null`), or of one alone. */
  private require(program: string | null): void {
    const { sizes } = this;
    for (let i = 0; i < this.requirements.length; i++) {
      const { row, left, right } = this.requirements[i]!;
      if ((row.program ?? null) !== program) continue;
      const a = sizes[left]!;
      const b = sizes[right]!;
      if (holds(a, row.relation, b)) continue;
      throw new NncError('NN535', null, [
        `${row.message} (${sizeText(row.left)} is ${a}, ${sizeText(row.right)} is ${b}; required: ${sizeText(row.left)} ${row.relation} ${sizeText(row.right)})`,
      ]);
    }
  }

  private check(slot: InputSlot, inputs: Inputs): void {
    const { input, view, shape } = slot;
    const array = inputs[input.name];
    if (array === undefined || array === null) throw missing(input);
    if (array.constructor !== view.constructor) {
      throw new NncError('NN531', input.name, [
        `${input.name} must be a ${view.constructor.name}, not ${array.constructor.name}.`,
      ]);
    }
    let length = 1;
    for (let i = 0; i < shape.length; i++) length *= this.sizes[shape[i]!]!;
    // Closures are made elsewhere: a function that has one pays for it in every call.
    if (array.length !== length) throw wrongLength(input, array.length, length, this.extents(shape));
    if (slot.below === null) return;
    const below = this.sizes[slot.below]!;
    for (let i = 0; i < length; i++) {
      const value = array[i]!;
      if (value >= 0 && value < below) continue;
      throw new NncError('NN534', input.name, [
        `${input.name}: element ${i} is ${value}, which is no index below ${below}.`,
      ]);
    }
  }

  private extents(shape: readonly number[]): number[] {
    return shape.map((s) => this.sizes[s]!);
  }

  // ----------------------------------------------------------------------------------------------------------------------------- results

  shape(buffer: number): number[] {
    return this.plan.buffers[buffer]!.shape.map((e) => evaluate(e, this.places, this.sizes));
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

function countExpressions(plan: Plan): number {
  // A generous count: every expression and loop variable once more than it can occur.
  let count = 0;
  const steps = (list: readonly PlanStep[]): void => {
    for (const step of list) {
      if (step.kind === 'call') count += step.sizes.length;
      else if (step.kind === 'copy') count++;
      else {
        count += 2;
        steps(step.body);
      }
    }
  };
  for (const program of Object.values(plan.programs)) steps(program.steps);
  for (const b of plan.buffers) count += b.shape.length;
  for (const input of plan.inputs) count += input.shape.length + 1;
  return count + 2 * plan.requirements.length;
}

function namesIn(e: SizeExpr): string[] {
  if (typeof e === 'number') return [];
  return typeof e === 'string' ? [e] : e.args.flatMap(namesIn);
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
  throw new NncError('NN533', name, [`The size ${name} must be a whole number from 1, not ${value}.`]);
}

function wrongLength(input: PlanInput, found: number, expected: number, extents: readonly number[]): NncError {
  return new NncError('NN532', input.name, [
    `${input.name} has ${found} elements, but [${input.shape.map(sizeText).join(', ')}] is [${extents.join(', ')}], ${expected} elements.`,
  ]);
}

function missing(input: PlanInput): NncError {
  return new NncError('NN531', input.name, [
    `The input ${input.name} (${input.dtype}[${input.shape.map(sizeText).join(', ')}]) is missing.`,
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

function copyIn(slot: InputSlot, array: View): void {
  if (slot.input.dtype === 'f16') for (let i = 0; i < array.length; i++) slot.view[i] = toHalf(array[i]!);
  else slot.view.set(array);
}
