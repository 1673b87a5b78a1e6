/** A kernel's complete WGSL: the helpers that it uses, then the kernel. */
import { closure, helperText, type Helper } from './helpers.ts';
import type { EmittedKernel } from './kernel.ts';

export const shaderText = (kernel: EmittedKernel): string =>
  [...closure(kernel.helpers).map((h: Helper) => helperText(h)), '', ...kernel.lines, ''].join('\n');
