/** The WebGPU runtime's text inside the compiler is that of `runtime/`. `npx vitest run -u` on this file writes it anew. */
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { AUTO_RUNTIME, autoRuntime, WEBGPU_RUNTIME, webgpuRuntime } from '../../../scripts/embed-webgpu.ts';

const root = resolve(import.meta.dirname, '../../..');

it.each([
  [WEBGPU_RUNTIME, webgpuRuntime],
  [AUTO_RUNTIME, autoRuntime],
])('%s is fresh', async (file, text) => {
  await expect(text(root)).toMatchFileSnapshot(resolve(root, file));
});
