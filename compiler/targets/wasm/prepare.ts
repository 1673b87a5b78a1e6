/** What happens to a kernel before it is scheduled for WebAssembly: the same kernel in a form that vectorises better. */
import type { Kernel } from '../../kernel/types.ts';
import { collapse } from './collapse.ts';
import { resolveResidues } from './residues.ts';

export const prepare = (kernel: Kernel): Kernel => collapse(resolveResidues(kernel));
