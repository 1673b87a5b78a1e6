/** nnc as its users have it: the package's public API compiles the program, the emitted module runs. Needs `npm run build` in the root. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

export const version = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;

// What `import { compile } from 'nnc'` means to an installed package; a folder inside the repository has to say it by path.
const api = await import('../../dist/compiler/index.js');

export function artifact(source, { path, unit, bounds, target = 'ts', ...more }) {
  const compiled = api.compile(source, { path, only: unit, bounds, targets: target === 'ts' ? [] : [target], ...more });
  if (!compiled.ok) {
    const messages = compiled.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`);
    throw new Error(`${path} does not compile:\n${messages.join('\n')}`);
  }
  return compiled.artifacts.get(unit);
}

export const moduleText = (made, target) => made.modules.get(target).javascript;
export const gzipped = (text) => gzipSync(text, { level: 9 }).length;
export const load = (code) => import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);

/** An instance of the unit, ready to be called. */
export async function instance(source, options, weights) {
  const made = artifact(source, options);
  const module = await load(moduleText(made, options.target ?? 'ts'));
  const given = weights && new Map([...weights].map(([path, t]) => [path, { dtype: 'f32', ...t }]));
  return module[options.unit].create(given === undefined ? { seed: 1 } : { weights: given });
}

/** Path → shape of the parameters and states of a unit. */
export function leaves(source, options) {
  const { plan } = artifact(source, options);
  return Object.fromEntries(
    plan.leaves.filter((l) => l.kind === 'param' || l.kind === 'state').map((l) => [l.path, l.shape]),
  );
}
