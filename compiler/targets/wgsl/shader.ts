/** A kernel's complete WGSL: the helpers that it uses, then the kernel. */
import { closure, helperText, type Helper } from './helpers.ts';
import type { EmittedKernel } from './kernel.ts';
import { HALF } from './windows.ts';

/** The first line of a shader with elements that may be halves: what they are on every device. The runtime puts halves there where the device has such. */
export const WITHOUT_HALVES = `alias ${HALF} = f32;`;

export const shaderText = (kernel: EmittedKernel): string =>
  [
    ...(kernel.halves ? [WITHOUT_HALVES] : []),
    ...closure(kernel.helpers).map((h: Helper) => helperText(h)),
    '',
    ...kernel.lines,
    '',
  ].join('\n');
