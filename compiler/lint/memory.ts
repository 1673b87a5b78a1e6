/**
 * What lints said of a declaration, for as long as the checker repeats its check and those of what it calls. For editors: a program that is checked once
 * remembers nothing.
 */
import type { Callable, Declaration, TrainDeclaration } from '../../grammar/ast.ts';
import { nodesOf } from '../../grammar/walk.ts';
import type { CheckResult } from '../check/check.ts';
import type { Definition, Program } from '../check/program.ts';
import type { Fix, Problem } from '../diagnostics/problem.ts';
import type { Body } from './context.ts';

interface Said {
  readonly problem: Problem;
  readonly fixes: readonly Fix[];
}

interface Known {
  readonly said: readonly Said[];
  /** Own callables that it names, with what the checker had written of them. */
  readonly calls: readonly { readonly definition: Definition; readonly stamp: object }[];
}

/** By what the checker wrote of a declaration: another check writes another. */
const memory = new WeakMap<object, Known>();

export class LintMemory {
  private readonly program: Program;
  private readonly checked: CheckResult;
  private readonly valid = new Map<Declaration, Known | null>();

  constructor(program: Program, checked: CheckResult) {
    this.program = program;
    this.checked = checked;
  }

  recall(d: Callable | TrainDeclaration): readonly Said[] | null {
    return this.known(d)?.said ?? null;
  }

  private known(d: Declaration): Known | null {
    if (this.program.kept === null || d.kind === 'train') return null;
    const before = this.valid.get(d);
    if (before !== undefined) return before;
    const stamp = this.checked.written.get(d);
    const found = (stamp === undefined ? undefined : memory.get(stamp)) ?? null;
    // Inside itself it is as valid as it is.
    this.valid.set(d, found);
    const holds =
      found?.calls.every(({ definition: { declaration }, stamp: then }) => {
        if (this.checked.written.get(declaration) !== then) return false;
        return declaration === d || this.known(declaration) !== null;
      }) === true;
    if (!holds) this.valid.set(d, null);
    return holds ? found : null;
  }

  remember(bodies: readonly Body[], problems: readonly Problem[], fixes: ReadonlyMap<Problem, readonly Fix[]>): void {
    const { kept } = this.program;
    if (kept === null) return;
    for (const { owner, module } of bodies) {
      const stamp = this.checked.written.get(owner);
      if (owner.kind === 'train' || stamp === undefined || module.library) continue;
      const own = problems.filter(
        ({ span }) => span!.file === owner.span.file && span!.start >= owner.span.start && span!.end <= owner.span.end,
      );
      const said = own.map((p) => ({
        problem: kept.anchoredIn(p, this.program),
        fixes: kept.anchoredIn(fixes.get(p) ?? [], this.program),
      }));
      const called = new Map<Definition, object>();
      for (const node of nodesOf(owner)) {
        const r = this.checked.references.get(node);
        if (r?.kind !== 'definition' || r.definition.module.library) continue;
        const { declaration } = r.definition;
        if (declaration.kind === 'const' || declaration.kind === 'train') continue;
        called.set(r.definition, this.checked.written.get(declaration) ?? {});
      }
      memory.set(stamp, { said, calls: [...called].map(([definition, then]) => ({ definition, stamp: then })) });
    }
  }
}
