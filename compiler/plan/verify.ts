/**
 * Checks a plan without trusting the planner: it runs the steps on bytes that know whose they are.
 *
 * Every loop is run three rounds (what one round leaves to the next shows in the second, what two leave in the third). A write takes its buffer's
 * bytes; a buffer that loses a byte to another one has lost its content, until a step defines it anew. Reading lost or never written content is
 * an error. So are offsets that are unaligned or outside their arena, persistent buffers that overlap, and two buffers of one call that share memory
 * without the kernel being safe in place.
 */
import type { Kernel, Schedule } from '../kernel/types.ts';
import type { Plan, PlanBuffer, PlanProgram, PlanStep } from '../../runtime/plan.ts';
import { ALIGNMENT, storedBytes, WIDTH } from './place.ts';
import { mayShare } from './share.ts';
import { evaluateSize } from './sizes.ts';
import { usage } from './usage.ts';

type Content = 'never' | 'intact' | 'lost';

const overlap = (a: PlanBuffer, b: PlanBuffer): boolean =>
  a.arena === b.arena && a.bytes > 0 && b.bytes > 0 && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

class Run {
  readonly wrong = new Set<string>();
  private readonly plan: Plan;
  private readonly program: PlanProgram;
  private readonly kernels: readonly Kernel[];
  private readonly schedules: readonly Schedule[];
  private readonly content: Content[];
  private readonly mine: readonly number[];

  constructor(plan: Plan, program: PlanProgram, kernels: readonly Kernel[], schedules: readonly Schedule[]) {
    this.plan = plan;
    this.program = program;
    this.kernels = kernels;
    this.schedules = schedules;
    this.content = plan.buffers.map((b) => (b.arena === 'persistent' ? 'intact' : 'never'));
    const used = new Set<number>([...Object.values(program.inputs), ...Object.values(program.outputs)]);
    const go = (steps: readonly PlanStep[]): void => {
      for (const step of steps) {
        if (step.kind === 'loop') {
          if (step.limit !== undefined) used.add(step.limit);
          if (step.until !== undefined) used.add(step.until);
          go(step.body);
        } else for (const b of step.kind === 'call' ? step.buffers : [step.from, step.to]) used.add(b);
      }
    };
    go(program.steps);
    this.mine = [...used];
  }

  run(): void {
    for (const [name, buffer] of Object.entries(this.program.inputs)) this.write(buffer, true, `input ${name}`);
    for (const [name, buffer] of Object.entries(this.program.inputs)) this.read(buffer, `input ${name}`);
    this.steps(this.program.steps);
    for (const [name, buffer] of Object.entries(this.program.outputs)) this.read(buffer, `output ${name}`);
  }

  private read(buffer: number, where: string): void {
    if (this.content[buffer] === 'intact') return;
    const what = this.content[buffer] === 'lost' ? 'has been overwritten' : 'was never written';
    this.wrong.add(
      `${this.program.name}: ${where} reads ${this.plan.buffers[buffer]!.name} (${buffer}), which ${what}`,
    );
  }

  private write(buffer: number, defines: boolean, where: string): void {
    const own = this.plan.buffers[buffer]!;
    if (own.kind === 'data' && !where.startsWith('input'))
      this.wrong.add(`${this.program.name}: ${where} writes the input ${own.name}`);
    for (const other of this.mine) {
      if (other !== buffer && this.content[other] === 'intact' && overlap(own, this.plan.buffers[other]!)) {
        this.content[other] = 'lost';
      }
    }
    if (defines || this.content[buffer] === 'never') this.content[buffer] = 'intact';
  }

  private steps(steps: readonly PlanStep[]): void {
    for (const step of steps) {
      switch (step.kind) {
        case 'loop':
          if (step.limit !== undefined) this.read(step.limit, 'a loop');
          for (let round = 0; round < 3; round++) {
            this.steps(step.body);
            if (step.until !== undefined) this.read(step.until, 'the end of a round');
          }
          break;
        case 'copy':
          this.read(step.from, 'a copy');
          this.write(step.to, true, 'a copy');
          break;
        case 'call':
          this.call(step);
          break;
      }
    }
  }

  private call(step: Extract<PlanStep, { kind: 'call' }>): void {
    const kernel = this.kernels[step.kernel];
    const schedule = this.schedules[step.kernel];
    if (kernel === undefined || schedule === undefined) {
      this.wrong.add(`${this.program.name}: no kernel ${step.kernel}`);
      return;
    }
    if (step.buffers.length !== kernel.buffers.length || step.sizes.length !== kernel.sizes.length) {
      this.wrong.add(`${this.program.name}: ${kernel.name} is called with a wrong number of arguments`);
      return;
    }
    const used = usage(kernel);
    for (const [k, buffer] of step.buffers.entries()) {
      if (this.plan.buffers[buffer]!.dtype !== kernel.buffers[k]!.dtype) {
        this.wrong.add(
          `${this.program.name}: ${kernel.name} takes ${kernel.buffers[k]!.name} as ${kernel.buffers[k]!.dtype}`,
        );
      }
      if (this.plan.buffers[buffer]!.storage !== kernel.buffers[k]!.storage)
        this.wrong.add(`${this.program.name}: ${kernel.name} takes ${kernel.buffers[k]!.name} in another storage`);
      // A kernel that stores into what it reads may find nothing there in the first round of a loop; its guards see to it.
      const own = used[k]!.writes && !used[k]!.combines && this.content[buffer] === 'never';
      if (!own && (used[k]!.readsOld || !used[k]!.writes)) this.read(buffer, kernel.name);
      for (const [j, other] of step.buffers.entries()) {
        if (j <= k || other === buffer || !(used[j]!.writes || used[k]!.writes)) continue;
        const [a, b] = [this.plan.buffers[buffer]!, this.plan.buffers[other]!];
        if (!overlap(a, b)) continue;
        const inPlace = used[k]!.writes ? mayShare(kernel, schedule, j, k) : mayShare(kernel, schedule, k, j);
        if (a.offset !== b.offset || !inPlace) {
          this.wrong.add(`${this.program.name}: ${kernel.name} has ${a.name} and ${b.name} in one place`);
        }
      }
    }
    for (const [k, buffer] of step.buffers.entries()) {
      if (used[k]!.writes) this.write(buffer, used[k]!.defines && !used[k]!.readsOld, kernel.name);
    }
  }
}

/** What is wrong, in words; empty for a good plan. */
export function verifyPlan(plan: Plan, kernels: readonly Kernel[], schedules: readonly Schedule[]): string[] {
  const wrong: string[] = [];
  const bounds = new Map(plan.sizes.map((s) => [s.name, s.bound]));
  for (const [i, b] of plan.buffers.entries()) {
    if (b.offset % ALIGNMENT !== 0 || b.offset < 0) wrong.push(`${b.name} (${i}) is not aligned`);
    if (b.offset + b.bytes > plan.arenas[b.arena]) wrong.push(`${b.name} (${i}) reaches beyond the ${b.arena} arena`);
    const elements = b.shape.reduce<number>((n, e) => n * evaluateSize(e, (s) => bounds.get(s) ?? NaN), 1);
    const least = b.storage === undefined ? elements * WIDTH[b.dtype] : storedBytes(elements, b.storage);
    if (!(b.bytes >= least)) wrong.push(`${b.name} (${i}) has ${b.bytes} bytes, but needs ${least} at the bounds`);
    for (const other of plan.buffers.slice(i + 1)) {
      if (b.arena === 'persistent' && overlap(b, other)) wrong.push(`${b.name} and ${other.name} overlap`);
    }
  }
  for (const program of Object.values(plan.programs)) {
    const run = new Run(plan, program, kernels, schedules);
    run.run();
    wrong.push(...run.wrong);
  }
  return wrong;
}
