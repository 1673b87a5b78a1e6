/** What training teaches: parameters that the loss does not reach, and names that nothing reads. */
import type { Callable, Expr, Name, Parameter, Span } from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';
import type { Body, Context } from './context.ts';
import { FlowReader, type Leaf } from './flow.ts';
import type { Lint } from './record.ts';

export const noGradient: Lint = {
  code: 'NN602',
  name: 'no-gradient',
  level: 'warn',
  looksFor:
    'parameters of a trained network that the loss does not depend on, or only through argmax, comparisons, indices or rounding',
  avoids:
    'networks that are frozen, programs that compute with parameters as values, parameters that at least one objective reaches',
  whole: true,
  run(c) {
    for (const body of c.bodies) {
      const { owner } = body;
      if (owner.kind !== 'train' || body.damaged || c.hasErrors) continue;
      const reader = new FlowReader(c);
      const { loss, leaves } = reader.train(owner);
      if (reader.unknown || !owner.statements.some((s) => s.kind === 'minimize')) continue;
      const untaught = [...leaves.values()].filter(
        (l) => loss.get(l.key)?.differentiable !== true && !reader.frozen.has(l.key),
      );
      // One report for one layer, not for each of its parameters; a layer of which something learns is used as meant.
      const bySite = new Map<string, { span: Span; list: Leaf[] }>();
      for (const leaf of untaught) {
        const span = leaf.site ?? leaf.leaf.name.span;
        const key = `${span.file}:${span.start}`;
        const group = bySite.get(key) ?? { span, list: [] };
        group.list.push(leaf);
        bySite.set(key, group);
      }
      for (const { span, list } of bySite.values()) {
        const siblings = [...leaves.values()].filter(
          (l) => l.site !== null && l.site.start === span.start && l.site.file === span.file,
        );
        if (siblings.some((l) => !list.includes(l))) continue;
        if (c.program.sources.get(span.file).library) continue;
        const passages = list.flatMap((l) => loss.get(l.key) ?? []);
        const stop = passages[0] ?? null;
        // Somebody wrote it there: a teacher, a target network.
        if (stop?.by === '`stop_gradient`') continue;
        c.report('NN602', span, {
          names: [...new Set(list.map((l) => l.leaf.name.text))],
          why: stop === null ? 'unreached' : 'stopped',
          train: owner.name.text,
          by: stop?.by ?? null,
          bySpan: stop?.span ?? null,
        });
      }
    }
  },
};

/** Names that are used: as values, as sizes of shapes, in the types of others. */
function usedNames(body: Body): ReadonlySet<string> {
  const used = new Set<string>();
  walk(body.owner, (n, parent) => {
    if (n.kind === 'name') used.add((n as { name: string }).name);
    // A bare index may be a size or a number of the configuration; `-=` reads what it rebinds.
    if (n.kind === 'index') used.add((n as unknown as { name: Name }).name.text);
    if (n.kind === 'run') used.add((n as unknown as { name: Name }).name.text);
    if (n.kind === 'assign' && (n as { operator?: string }).operator !== '=')
      used.add((n as unknown as { name: Name }).name.text);
    void parent;
    return undefined;
  });
  return used;
}

export const unusedParameter: Lint = {
  code: 'NN603',
  name: 'unused-parameter',
  level: 'warn',
  looksFor: 'a `param` or `state`, an argument, a configuration or an input that nothing reads',
  avoids:
    'names that begin with `_`, positions of masks, the step of schedules, what an optimizer is given, arguments that give a size to the others',
  run(c) {
    for (const body of c.bodies) {
      const { owner } = body;
      if (body.damaged) continue;
      const used = usedNames(body);
      const unused = (name: Name, what: string): void => {
        if (!used.has(name.text) && !name.text.startsWith('_')) c.report('NN603', name.span, { name: name.text, what });
      };
      if (owner.kind === 'train') {
        for (const s of owner.statements) if (s.kind === 'input') unused(s.name, 'input');
        continue;
      }
      for (const leaf of body.leaves) if (leaf.leaf !== 'carry') unused(leaf.name, leaf.leaf);
      if (owner.kind === 'mask' || owner.kind === 'optimizer') continue;
      for (const p of owner.config ?? []) unused(p.name, 'configuration');
      if (owner.kind !== 'schedule')
        for (const p of owner.parameters) if (!givesSize(c, owner, p)) unused(p.name, 'argument');
    }
  },
};

/** `fn zeros_like(x: float[B, D]) -> float[B, D]`: an argument that is there for its shape. */
function givesSize(c: Context, owner: Callable, p: Parameter): boolean {
  const sizes = new Set<string>();
  const collect = (e: Expr): void => {
    walk(e, (n) => {
      if (n.kind === 'name') sizes.add((n as { name: string }).name);
      return undefined;
    });
  };
  for (const d of p.type?.shape ?? []) if (d.kind === 'size') collect(d.value);
  for (const q of [...(owner.config ?? []), ...owner.parameters])
    if (q !== p)
      for (const d of q.type?.shape ?? [])
        if (d.kind === 'size')
          walk(d.value, (n) => {
            if (n.kind === 'name') sizes.delete((n as { name: string }).name);
            return undefined;
          });
  void c;
  return sizes.size > 0;
}
