/** nnc as its users have it: the package's public API compiles the program, the emitted JavaScript runs. Needs `npm run build` in the root. */
import { readFileSync } from 'node:fs';

export const name = 'nnc';
export const version = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;

let api;

export async function ready() {
  // What `import { compile } from 'nnc'` means to an installed package; a folder inside the repository has to say it by path.
  api = await import('../../dist/compiler/index.js');
}

// ------------------------------------------------------------------------------------------------------------------------------------
// ADAPTER. The only place that knows the shape of nnc's API: what `compile` returns and how an artifact is made and called.
async function instantiate(workload) {
  const compiled = api.compile(workload.source, { path: workload.path, only: workload.unit });
  if (!compiled.ok) {
    const messages = compiled.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`);
    throw new Error(`${workload.path} does not compile:\n${messages.join('\n')}`);
  }
  const { javascript } = compiled.artifacts.get(workload.unit);
  const module = await import(`data:text/javascript;base64,${Buffer.from(javascript).toString('base64')}`);
  const weights = new Map([...workload.weights].map(([path, tensor]) => [path, { dtype: 'f32', ...tensor }]));
  const instance = module[workload.unit].create({ weights });
  const inputs = Object.fromEntries(Object.entries(workload.inputs).map(([key, { data }]) => [key, data]));
  return { step: () => instance.step(inputs), loss: (result) => result.loss };
}
// ------------------------------------------------------------------------------------------------------------------------------------

/** A function that takes one step on the workload's batch and returns the loss before it. */
export async function prepare(workload) {
  const { step, loss } = await instantiate(workload);
  return () => loss(step());
}
