/**
 * Functions of the runtime for programs that need less of them, under the names of those they stand for: sizes that are numbers and names, no requirements, nothing in
 * fewer bytes. A module that is to be small takes these instead (compiler/targets/wasm/runtime.ts chooses, scripts/embed.ts cuts them out).
 */
import type { SizeExpr, PlanInput, PlanLeaf } from './plan.ts';
import type { Machine } from './execute.ts';
import type { View } from './memory.ts';
import type { WeightTensor } from './weights.ts';

export function evaluate(e: SizeExpr, places: ReadonlyMap<string, number>, sizes: Int32Array): number {
  return typeof e === 'number' ? e : sizes[places.get(e as string)!]!;
}

export function sizeText(e: SizeExpr): string {
  return String(e as string | number);
}

export function meets(): void {
  // Nothing is required.
}

export function copyIn({ view }: { readonly input: PlanInput; readonly view: View }, array: View): void {
  view.set(array);
}

export function takeStored(): WeightTensor | null {
  return null;
}

export function storedProblemOf(): string | null | undefined {
  return undefined;
}

export function put(machine: Machine, leaf: PlanLeaf, tensor: WeightTensor): void {
  machine.memory.views[leaf.buffer]!.set(tensor.data);
}

export function needsWeights(): void {
  // They can all be drawn.
}
