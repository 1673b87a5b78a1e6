/** `nnc explain --fusion`: which values a program stores, why, and where they come from. */
import type { OriginId } from '../graph/origin.ts';
import type { KernelProgram, KernelStep, Reason } from '../kernel/types.ts';

export interface FusionFact {
  /** Name of the buffer in the program. */
  readonly value: string;
  readonly reason: Reason;
  readonly origin: OriginId;
  /** The kernel that writes it. */
  readonly kernel: string;
}

/** In order of the steps; a value that several steps write (a loop's carry) stands once for each reason. */
export function explainFusion(program: KernelProgram): readonly FusionFact[] {
  const buffers = new Map(program.buffers.map((b) => [b.id, b]));
  const facts: FusionFact[] = [];
  const seen = new Set<string>();
  const go = (steps: readonly KernelStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') go(step.body);
      if (step.kind !== 'call') continue;
      for (const [k, reason] of step.kernel.reasons) {
        const buffer = buffers.get(step.buffers[k]!)!;
        const key = `${buffer.id} ${reason}`;
        if (seen.has(key)) continue;
        seen.add(key);
        facts.push({ value: buffer.name, reason, origin: buffer.origin, kernel: step.kernel.name });
      }
    }
  };
  go(program.steps);
  return facts;
}
