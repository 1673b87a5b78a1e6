/** For tests of known networks: their kernels as text, after they have been found right on drawn numbers. */
import type { GraphBuilder } from '../../compiler/graph/builder.ts';
import type { Node, Output } from '../../compiler/graph/types.ts';
import { kernelsOf, printKernel, printProgram } from '../../compiler/kernel/print.ts';
import type { KernelProgram } from '../../compiler/kernel/types.ts';
import { drawn } from './drawn.ts';
import { checkGraph, type Sizes } from './support.ts';

export const out = (name: string, node: Node, updates: string | null = null): Output => ({ name, node, updates });

export const text = (p: KernelProgram): string =>
  `\n${[printProgram(p), ...kernelsOf(p).map(printKernel)].join('\n\n')}\n`;

export function run(
  b: GraphBuilder,
  outputs: readonly Output[],
  sizes: Sizes,
  positive: readonly string[] = [],
): KernelProgram {
  return checkGraph(
    b.finish(outputs),
    b.origins,
    drawn(b, sizes, (n) => (positive.includes(n) ? 0.1 : -1)),
    sizes,
  );
}
