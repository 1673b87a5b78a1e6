/** The WebGPU runtime's text inside the compiler is that of `runtime/`. `npx vitest run -u` on this file writes it anew. */
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { WEBGPU_RUNTIME, webgpuRuntime } from '../../../scripts/embed-webgpu.ts';

const root = resolve(import.meta.dirname, '../../..');

it(`${WEBGPU_RUNTIME} is fresh`, async () => {
  await expect(webgpuRuntime(root)).toMatchFileSnapshot(resolve(root, WEBGPU_RUNTIME));
});
