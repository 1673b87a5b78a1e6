/**
 * From losses to updates. Every objective is differentiated by its own parameters as they are at the step's start; objectives that share
 * parameters add their gradients; `gradient |> …` sees the gradient of all of these as one record; then each parameter's optimizer runs. All land together.
 *
 * An objective `every n` steps acts in steps n, 2n, …: in others its gradient is not computed (`sometimes.ts`), its parameters and their slots stay, and for
 * its optimizers `step` counts the updates. What is differentiated, and in how many parts, is `accumulate.ts`.
 */
import type { Callable, CallExpr, Expr, PipeExpr, Span, TrainDeclaration, TrainStatement } from '../../grammar/ast.ts';
import { lookup, type ProgramModule } from '../check/program.ts';
import { differentiate } from '../differentiate/differentiate.ts';
import type { Node } from '../graph/types.ts';
import { Updates } from './alike.ts';
import { inParts } from './accumulate.ts';
import { evaluatePipe } from './calls.ts';
import { refuse, type Elaboration } from './elaboration.ts';
import { evaluate } from './expressions.ts';
import { bindParameters, scopeOfModule, type Given } from './instances.ts';
import { pathPattern, recordOf } from './records.ts';
import { onlyWhen, type Rare } from './sometimes.ts';
import { nameSchedules } from './schedules.ts';
import { Scope } from './scope.ts';
import { execute } from './statements.ts';
import { tensor, type Value } from './values.ts';

type Statement<K extends TrainStatement['kind']> = Extract<TrainStatement, { kind: K }>;

export interface Objective {
  readonly loss: Node;
  readonly span: Span;
  /** Paths of the networks whose parameters it is minimised over; null: of all. */
  readonly over: readonly string[] | null;
  readonly every: number;
}

export interface Training {
  readonly train: TrainDeclaration;
  readonly module: ProgramModule;
  readonly scope: Scope;
  readonly objectives: readonly Objective[];
  readonly metrics: readonly { readonly node: Node; readonly span: Span }[];
  readonly optimizers: readonly Statement<'optimizer'>[];
  readonly gradients: readonly Statement<'gradient'>[];
  /** `batch B = 64 in 4 parts`. */
  readonly parts: { readonly size: string; readonly count: number } | null;
}

/** Gives parameters, slots and states their next values; the losses and metrics of the whole batch. */
export function minimise(cx: Elaboration, t: Training): { losses: readonly Node[]; metrics: readonly Node[] } {
  if (t.optimizers.length === 0) refuse('NN791', t.train.name.span, { what: 'no optimizer', name: t.train.name.text });
  const all = [...cx.initial.keys()].filter((path) => cx.unit.leaves.get(path)!.leaf.kind === 'param');
  const paths = t.objectives.map((o) => all.filter((p) => o.over === null || o.over.some((n) => isUnder(n, p))));
  const { losses, metrics, gradients: found } = derived(cx, t, paths);
  const measured = [...losses, ...metrics];
  const groups = groupsOf(t, paths, found);
  const gradients = groups.flatMap((g) => lessOften(cx, t, g, found, measured));

  nameSchedules(cx, t.train, t.module);
  const used = new Set<Statement<'optimizer'>>();
  const updates: Update[] = [];
  const alike = new Updates();
  for (const { members, periods } of groups) {
    const total = new Map<string, Node>();
    for (const k of members)
      cx.at(t.objectives[k]!.span, () =>
        paths[k]!.forEach((path, j) => {
          const g = gradients.find((own) => own.objective === k)!.nodes[j] ?? null;
          if (g === null) return;
          const before = total.get(path);
          total.set(path, before === undefined ? g : cx.root.add(before, g));
        }),
      );
    for (const [path, g] of shaped(cx, t, total)) {
      const chosen = t.optimizers.find((o) => selects(cx, o, path));
      if (chosen === undefined) refuse('NN791', t.train.name.span, { what: 'unmatched parameter', name: path });
      used.add(chosen);
      const run = (): void => cx.at(chosen.span, () => update(cx, chosen, t.module, path, g, periods));
      updates.push({ periods, run: () => alike.run(cx, chosen, periods, path, g, run) });
    }
  }
  land(cx, t, updates, measured);
  for (const o of t.optimizers)
    if (!used.has(o)) refuse('NN791', o.span, { what: 'empty selector', name: cx.program.sources.text(o.span) });
  return { losses, metrics };
}

/** Objectives with a parameter in common. */
interface Group {
  readonly members: readonly number[];
  readonly paths: ReadonlySet<string>;
  /** How often its members act, each number once. */
  readonly periods: readonly number[];
}

type Gradients = readonly (readonly (Node | null)[])[];

function groupsOf(t: Training, paths: readonly (readonly string[])[], gradients: Gradients): Group[] {
  const groups: Group[] = [];
  paths.forEach((own, k) => {
    const reached = own.filter((_, j) => gradients[k]![j] !== null);
    const touching = groups.filter((g) => reached.some((p) => g.paths.has(p)));
    const members = [...touching.flatMap((g) => g.members), k];
    for (const g of touching) groups.splice(groups.indexOf(g), 1);
    groups.push({
      members,
      paths: new Set([...touching.flatMap((g) => [...g.paths]), ...reached]),
      periods: [...new Set(members.map((m) => t.objectives[m]!.every))],
    });
  });
  return groups;
}

/** The gradients of a group's objectives. Where they act at different times, each is computed in its own steps and zero in others. */
function lessOften(
  cx: Elaboration,
  t: Training,
  group: Group,
  gradients: Gradients,
  measured: readonly Node[],
): { readonly objective: number; readonly nodes: readonly (Node | null)[] }[] {
  const always = [...measured, ...changed(cx), ...gradients.flatMap((g, k) => (t.objectives[k]!.every === 1 ? g : []))];
  return group.members.map((objective) => {
    const nodes = gradients[objective]!;
    const { every, span } = t.objectives[objective]!;
    const acting = group.periods.length > 1 ? acts(cx, [every]) : null;
    if (acting === null) return { objective, nodes };
    const rare = nodes.filter((n) => n !== null).map((node) => ({ node, otherwise: cx.root.zeros(node.type) }));
    const found = cx.at(span, () =>
      onlyWhen(
        cx.root,
        acting,
        rare,
        always.filter((n) => n !== null),
      ),
    );
    return { objective, nodes: nodes.map((n) => (n === null ? null : found[rare.findIndex((r) => r.node === n)]!)) };
  });
}

/** What the program has changed so far. */
const changed = (cx: Elaboration): Node[] =>
  [...cx.current].flatMap(([path, node]) => (node === cx.initial.get(path) ? [] : [node]));

/** The update of one parameter, in steps that are multiples of one of these numbers. */
interface Update {
  readonly periods: readonly number[];
  readonly run: () => void;
}

/** Makes the updates; those of some steps only for each set of periods together. */
function land(cx: Elaboration, t: Training, updates: readonly Update[], measured: readonly Node[]): void {
  const rare = new Map<string, Rare & { readonly periods: readonly number[] }>();
  for (const { periods, run } of updates) {
    if (periods.includes(1)) {
      run();
      continue;
    }
    const before = new Map(cx.current);
    run();
    for (const [key, node] of cx.current) {
      const otherwise = before.get(key) ?? cx.initial.get(key)!;
      if (otherwise !== node) rare.set(key, { periods, node, otherwise });
    }
  }
  const always = [...measured, ...[...cx.current].flatMap(([key, n]) => (rare.has(key) ? [] : [n]))];
  for (const periods of new Set([...rare.values()].map((r) => r.periods.join()))) {
    const own = [...rare].filter(([, r]) => r.periods.join() === periods);
    const values = own.map(([, r]) => r);
    const acting = acts(cx, values[0]!.periods)!;
    const next = cx.at(t.train.name.span, () => onlyWhen(cx.root, acting, values, always));
    own.forEach(([key], k) => cx.current.set(key, next[k]!));
  }
}

const isUnder = (network: string, path: string): boolean => network === '' || path.startsWith(`${network}.`);

/** Losses, metrics and, by objective and parameter, gradients (null: it does not depend on it). */
function derived(cx: Elaboration, t: Training, paths: readonly (readonly string[])[]) {
  const wrt = paths.map((own) => own.map((p) => cx.initial.get(p)!));
  if (t.parts === null)
    return {
      losses: t.objectives.map((o) => o.loss),
      metrics: t.metrics.map((m) => m.node),
      gradients: t.objectives.map((o, k) => cx.at(o.span, () => differentiate(cx.root, o.loss, wrt[k]!))),
    };
  const states = [...cx.current].filter(
    ([path, node]) => cx.initial.has(path) && node !== cx.initial.get(path) && cx.unit.leaves.has(path),
  );
  const parted = cx.at(t.objectives[0]!.span, () =>
    inParts(
      cx,
      {
        objectives: t.objectives.map((o, k) => ({ loss: o.loss, span: o.span, wrt: wrt[k]! })),
        values: t.metrics,
        states: states.map(([path, after]) => ({ before: cx.initial.get(path)!, after })),
      },
      t.parts!.size,
      t.parts!.count,
    ),
  );
  states.forEach(([path], k) => cx.current.set(path, parted.states[k]!));
  return { losses: parted.losses, metrics: parted.values, gradients: parted.gradients };
}

/** The gradient after the stages of `gradient |> …`. */
function shaped(cx: Elaboration, t: Training, total: ReadonlyMap<string, Node>): ReadonlyMap<string, Node> {
  let value: Value = recordOf(total);
  for (const s of t.gradients)
    for (const stage of s.stages) {
      const room = new Scope(t.module, t.scope);
      room.set(GRADIENT, value);
      const name = { kind: 'name', name: GRADIENT, span: s.span } as const;
      const pipe: PipeExpr = { kind: 'pipe', value: name, label: null, stage, span: stage.span };
      value = cx.at(stage.span, () => evaluatePipe(cx, pipe, room, null));
      if (value.kind !== 'leaves') refuse('NN805', stage.span, { what: 'this gives no record of gradients' });
    }
  const record = value;
  return new Map([...total].map(([path, g]) => [path, record.get(path, null) ?? g]));
}

/** No name of a program. */
const GRADIENT = '(gradient)';

// ------------------------------------------------------------------------------------------------------------------------- every

/** Whether one of these periods ends in this step; null: always. */
function acts(cx: Elaboration, periods: readonly number[]): Node | null {
  if (periods.includes(1)) return null;
  const b = cx.root;
  const zero = b.constant(0, 'i32');
  return periods.map((n) => b.eq(b.mod(cx.step, b.constant(n, 'i32')), zero)).reduce((any, one) => b.or(any, one));
}

/** How many steps so far were multiples of one of the periods: inclusion and exclusion. */
function countOf(cx: Elaboration, periods: readonly number[]): Node | null {
  if (periods.includes(1)) return null;
  const b = cx.root;
  const gcd = (x: number, y: number): number => (y === 0 ? x : gcd(y, x % y));
  let total: Node | null = null;
  for (let set = 1; set < 2 ** periods.length; set++) {
    const chosen = periods.filter((_, k) => (set >> k) & 1);
    const multiple = chosen.reduce((m, n) => (m / gcd(m, n)) * n, 1);
    const count = b.div(cx.step, b.constant(multiple, 'i32'));
    if (total === null) total = count;
    else total = chosen.length % 2 === 1 ? b.add(total, count) : b.sub(total, count);
  }
  return total;
}

// -------------------------------------------------------------------------------------------------------------------- optimizers

/** `for Critic`, `for "h.*.weight"`; none: everything. */
function selects(cx: Elaboration, o: Statement<'optimizer'>, path: string): boolean {
  if (o.selectors === null) return true;
  return o.selectors.some((s: Expr) => {
    if (s.kind === 'name') return isUnder(cx.networkPath(s.name), path);
    if (s.kind !== 'string')
      return refuse('NN802', s.span, { what: 'this selector: name a model, or a path as a string' });
    return pathPattern(s.value).test(path);
  });
}

/** The arguments of an optimizer. */
export const givenOf = (cx: Elaboration, call: CallExpr | null, module: ProgramModule): Given[] =>
  (call?.arguments ?? []).map((a) => ({
    name: a.name?.text ?? null,
    value: evaluate(cx, a.value, scopeOfModule(module), null),
    text: null,
    span: a.span,
  }));

/** Runs the optimizer's body for one parameter: `w` rebound is its next value, states are its slots. */
function update(
  cx: Elaboration,
  o: Statement<'optimizer'>,
  module: ProgramModule,
  path: string,
  g: Node,
  periods: readonly number[],
): void {
  const call = o.value.kind === 'call' ? o.value : null;
  const callee = call === null ? o.value : call.callee;
  const d = callee.kind === 'name' ? lookup(cx.program, module, callee.name) : null;
  if (d === null || d.declaration.kind !== 'optimizer')
    return refuse('NN802', o.value.span, { what: 'something that is no optimizer' });
  const optimizer: Callable = d.declaration;
  const { slotOf, updates, half } = cx;
  cx.slotOf = path;
  cx.half = false;
  cx.updates = countOf(cx, periods);
  try {
    cx.inside(o.span, `optimizer ${optimizer.name.text}`, () => {
      const given = givenOf(cx, call, module);
      const scope = scopeOfModule(d.module).child();
      bindParameters(cx, optimizer.config ?? [], given, scope, o.span);
      const inner = scope.child();
      bindParameters(
        cx,
        optimizer.parameters,
        [cx.initial.get(path)!, g].map((node): Given => ({
          name: null,
          value: tensor(node),
          text: null,
          span: o.span,
        })),
        inner,
        o.span,
      );
      execute(cx, optimizer.body.statements, inner);
      const next = inner.get(optimizer.parameters[0]!.name.text);
      if (next?.kind === 'tensor') cx.current.set(path, next.node);
    });
  } finally {
    cx.slotOf = slotOf;
    cx.updates = updates;
    cx.half = half;
  }
}
