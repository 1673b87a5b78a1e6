/** Paths of parameters (`h.*.attn.c_attn.weight`), as checkpoints and selectors name them. `*` is a round of a repeat. */
import type { Poly } from '../sizes/poly.ts';
import type { Call } from './apply.ts';
import type { Frame, Signature } from './session.ts';
import type { RunMap } from './substitute.ts';
import { substituteShape } from './substitute.ts';

export function notePaths(
  f: Frame,
  call: Call,
  signature: Signature,
  sizes: ReadonlyMap<string, Poly>,
  runs: RunMap,
): void {
  const own = f.signature;
  const label = call.label ?? call.instance.label;
  if (own === null || call.instance.shared || signature === own) return;
  if (label !== null && !own.instances.has(label)) own.instances.set(label, call.instance);
  if (label === null || f.path.includes(null)) return;
  const prefix = [...f.path, label].join('.');
  for (const [path, shape] of signature.paths)
    own.paths.set(`${prefix}.${path}`, substituteShape(shape, sizes, runs, null));
}
