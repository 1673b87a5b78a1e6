/**
 * The steps of a plan's programs as closures over their arrays, made once: calls of kernels, copies, loops. The sizes that kernels take are expressions; each has a place in
 * one Int32Array and is computed when sizes change, or when the loop whose variable it names goes round. Modules whose programs are one function each do without.
 */
import type { Bound, Machine } from './execute.ts';
import type { Held } from './memory.ts';
import type { Plan, PlanStep, SizeExpr } from './plan.ts';

/** Binds a kernel to its arrays; `at` are the places in `sizes` of its integer parameters. */
export type Bind = (arrays: readonly Held[], sizes: Int32Array, at: readonly number[]) => () => void;

interface Computed {
  readonly slot: number;
  readonly value: () => number;
}

class Steps {
  private readonly machine: Machine;
  private readonly sizes: Int32Array;
  private readonly places: Map<string, number>;
  private readonly computed: Computed[] = [];
  private readonly ofLoop = new Map<string, Computed[]>();

  constructor(machine: Machine) {
    this.machine = machine;
    this.places = new Map(machine.places);
    this.sizes = new Int32Array(this.places.size + countExpressions(machine.plan));
  }

  resized(): void {
    this.sizes.set(this.machine.sizes);
    for (let i = 0; i < this.computed.length; i++) this.compute(this.computed[i]!);
  }

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

  closures(steps: readonly PlanStep[], kernels: readonly Bind[]): (() => void)[] {
    const { sizes } = this;
    const { views } = this.machine.memory;
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
          const length = this.place({ op: 'mul', args: [1, ...this.machine.plan.buffers[step.from]!.shape] });
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
}

export function stepsOf(machine: Machine, kernels: readonly Bind[]): Bound {
  const steps = new Steps(machine);
  const run: Record<string, () => void> = {};
  for (const [name, program] of Object.entries(machine.plan.programs)) {
    const closures = steps.closures(program.steps, kernels);
    run[name] = () => {
      for (let i = 0; i < closures.length; i++) closures[i]!();
    };
  }
  return { run, resized: () => steps.resized() };
}

function countExpressions(plan: Plan): number {
  // A generous count: every expression and loop variable once more than it can occur.
  let count = 0;
  const steps = (list: readonly PlanStep[]): void => {
    for (const step of list) {
      if (step.kind === 'call') count += step.sizes.length;
      else if (step.kind === 'copy') count += 1;
      else {
        count += 2;
        steps(step.body);
      }
    }
  };
  for (const program of Object.values(plan.programs)) steps(program.steps);
  return count;
}

function namesIn(e: SizeExpr): string[] {
  if (typeof e === 'number') return [];
  return typeof e === 'string' ? [e] : e.args.flatMap(namesIn);
}
