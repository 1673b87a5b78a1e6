/**
 * A `train` block as programs: the step (forward, backward, optimizer) is one graph, evaluation another, beside `init` and the network's own `forward`.
 */
import type { Expr, Name, Span, TrainDeclaration, TrainStatement } from '../../grammar/ast.ts';
import { lookup, type Definition, type ProgramModule } from '../check/program.ts';
import type { DataInput, Node, Output, TrainSettings } from '../graph/types.ts';
import { name as sizeName, num, type Poly } from '../sizes/poly.ts';
import { asTensor, constantOf } from './arithmetic.ts';
import { joinPath, refuse, type Elaboration } from './elaboration.ts';
import { evaluate, nameValue, sizeOf } from './expressions.ts';
import { dtypeOf, namesIn, persistentLeaf, scopeOfModule, sizesOf } from './instances.ts';
import { minimise, type Objective } from './objectives.ts';
import { leavesAt, networkOf, type Ask } from './records.ts';
import type { Scope } from './scope.ts';
import { execute } from './statements.ts';
import { integer, tensor } from './values.ts';

type Statement<K extends TrainStatement['kind']> = Extract<TrainStatement, { kind: K }>;

const ofKind = <K extends TrainStatement['kind']>(train: TrainDeclaration, kind: K): Statement<K>[] =>
  train.statements.filter((s): s is Statement<K> => s.kind === kind);

/** Free upper-case names of a data input's shape become run-time sizes. */
export function declareSizes(cx: Elaboration, scope: Scope, e: Expr): void {
  for (const text of namesIn(e))
    if (/^[A-Z]/.test(text) && scope.find(text) === null && lookup(cx.program, scope.module, text) === null)
      scope.set(text, integer(sizeName(text)));
}

/** What to write where a signature asks for what is known when the program is built. */
const INSTEAD: Readonly<Record<string, string>> = {
  int: 'write `i32` for a number of each call; make it a const, which `compile` and `nnc study` vary, or give it a default',
  mask: 'take a tensor `bool[…]` and make the mask of it here, or give it a default',
  record: 'name the network whose leaves are meant',
};

/** A data input of a model or train block, as a leaf of the graph. */
export function dataInput(
  cx: Elaboration,
  scope: Scope,
  name: string,
  declared: Extract<TrainStatement, { kind: 'input' }>['type'],
  shown = name,
): { node: Node; input: DataInput } {
  for (const d of declared.shape ?? []) {
    if (d.kind === 'run')
      return refuse('NN801', d.span, {
        feature: `the run of axes \`...${d.name.text}\``,
        instead: 'write the axes; blocks and functions take any number of them',
      });
    declareSizes(cx, scope, d.value);
  }
  if (declared.below !== null) declareSizes(cx, scope, declared.below);
  const dtype = dtypeOf(declared);
  if (dtype === null)
    return refuse('NN801', declared.span, {
      feature: `the \`${declared.dtype.text}\` ${name}`,
      instead: INSTEAD[declared.dtype.text] ?? 'make it a tensor, a const, or give it a default',
    });
  const type = { dtype, sizes: declared.shape === null ? [] : sizesOf(cx, declared.shape, scope) };
  const below: Poly | null = declared.below === null ? null : sizeOf(cx, declared.below, scope, null);
  const origin = cx.origins.add(declared.span, cx.caller, cx.via);
  const node = cx.root.input(shown, 'data', type, origin);
  scope.set(name, tensor(dtype === 'f16' ? cx.root.cast(node, 'f32') : node));
  return { node, input: { name: shown, type, below, origin } };
}

/** The models that a train block's expressions name. */
export function modelsOf(cx: Elaboration, train: TrainDeclaration, module: ProgramModule): Definition[] {
  const found = new Map<string, Definition>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const v of value) visit(v);
    else if (value !== null && typeof value === 'object') {
      const n = value as { kind?: string; name?: unknown };
      if (n.kind === 'name' && typeof n.name === 'string') {
        const d = lookup(cx.program, module, n.name);
        if (d !== null && d.declaration.kind === 'model') found.set(n.name, d);
      }
      for (const v of Object.values(value)) if (typeof v === 'object') visit(v);
    }
  };
  for (const s of train.statements)
    if (['let', 'assign', 'minimize', 'metric', 'leaf'].includes(s.kind)) visit((s as { value: unknown }).value);
  return [...found.values()];
}

export function settingsOf(cx: Elaboration, train: TrainDeclaration, module: ProgramModule): TrainSettings {
  const scope = scopeOfModule(module);
  const number = (e: Expr): number => {
    const c = constantOf(evaluate(cx, e, scope, null));
    return c ?? refuse('NN802', e.span, { what: 'a setting that is not known when the program is built' });
  };
  let batch: TrainSettings['batch'] = null;
  let epochs: number | null = null;
  let split: number | null = null;
  let patience: number | null = null;
  let folds: number | null = null;
  let runs: number | null = null;
  const metrics: string[] = [];
  for (const s of train.statements) {
    switch (s.kind) {
      case 'batch':
        batch = { size: s.size.text, value: number(s.value), parts: s.parts === null ? 1 : number(s.parts) };
        break;
      case 'epochs':
        epochs = number(s.value);
        break;
      case 'validate':
        for (const a of s.arguments) {
          if (a.name?.text === 'split') split = number(a.value);
          else if (a.name?.text === 'patience') patience = number(a.value);
          else if (a.name?.text === 'folds') folds = number(a.value);
        }
        break;
      case 'runs':
        runs = number(s.value);
        break;
      case 'metric':
        metrics.push(s.name.text);
        break;
      default:
    }
  }
  return { batch, epochs, split, patience, folds, runs, metrics };
}

/** Forward, and in training mode backward and update. Outputs: loss, metrics, persistent updates. */
export function trainGraph(
  cx: Elaboration,
  train: TrainDeclaration,
  module: ProgramModule,
): { outputs: Output[]; inputs: DataInput[] } {
  const scope = scopeOfModule(module).child();
  const inputs: DataInput[] = [];
  const objectives: Objective[] = [];
  const names: string[] = [];
  const metrics: { name: string; node: Node; span: Span }[] = [];
  for (const s of train.statements) {
    cx.at(s.span, () => {
      switch (s.kind) {
        case 'input':
          inputs.push(dataInput(cx, scope, s.name.text, s.type).input);
          break;
        case 'let':
        case 'assign':
        case 'require':
          execute(cx, [s], scope);
          break;
        case 'minimize':
          objectives.push({
            loss: asTensor(cx, evaluate(cx, s.value, scope, null), s.span, 'f32'),
            span: s.span,
            over: s.over?.map((name) => networkPathOf(cx, scope, name)) ?? null,
            every: s.every === null ? 1 : period(cx, s.every, scope),
          });
          names.push(lossName(s, names));
          break;
        case 'metric':
          metrics.push({
            name: s.name.text,
            node: asTensor(cx, evaluate(cx, s.value, scope, null), s.span, 'f32'),
            span: s.span,
          });
          break;
        case 'leaf':
          if (s.type?.dtype.text === 'record') recordState(cx, s, scope);
          else execute(cx, [s], scope);
          break;
        default:
      }
    });
  }
  if (objectives.length === 0) return refuse('NN802', train.name.span, { what: 'a train block without `minimize`' });
  const results = (losses: readonly Node[], measured: readonly Node[]): Output[] => [
    ...losses.map((node, k) => ({ name: names[k]!, node, updates: null })),
    ...measured.map((node, k) => ({ name: metrics[k]!.name, node, updates: null })),
  ];
  if (!cx.training)
    return {
      outputs: results(
        objectives.map((o) => o.loss),
        metrics.map((m) => m.node),
      ),
      inputs,
    };

  const trained = minimise(cx, {
    train,
    module,
    scope,
    objectives,
    metrics,
    optimizers: ofKind(train, 'optimizer'),
    gradients: ofKind(train, 'gradient'),
    parts: partsOf(cx, train, module),
  });
  const result: Output[] = results(trained.losses, trained.metrics);
  for (const [path, node] of cx.current)
    if (cx.initial.has(path) && node !== cx.initial.get(path)) result.push({ name: path, node, updates: path });
  return { outputs: result, inputs };
}

/** Whether products are computed from halves. */
export const isHalf = (train: TrainDeclaration): boolean =>
  ofKind(train, 'precision').some((s) => s.name.text === 'f16');

/** `loss`; further ones by their networks (`loss_Generator`) or number (`loss_2`). The first is the one that validation goes by. */
function lossName(s: Statement<'minimize'>, before: readonly string[]): string {
  if (before.length === 0) return 'loss';
  const name = s.over === null ? `loss_${before.length + 1}` : `loss_${s.over.map((n) => n.text).join('_')}`;
  return before.includes(name) ? `${name}_${before.length + 1}` : name;
}

/** Where the parameters of a model or instance stand. */
function networkPathOf(cx: Elaboration, scope: Scope, name: Name): string {
  const v = nameValue(cx, name.text, scope, name.span);
  return networkOf(cx, v, name.span).path;
}

function period(cx: Elaboration, e: Expr, scope: Scope): number {
  const n = constantOf(evaluate(cx, e, scope, null));
  if (n === null || !Number.isInteger(n) || n < 1)
    return refuse('NN802', e.span, {
      what: '`every` with anything but a whole number from 1, known when the program is built',
    });
  return n;
}

/** `batch B = 64 in 4 parts`: the step then needs a batch that divides. */
function partsOf(
  cx: Elaboration,
  train: TrainDeclaration,
  module: ProgramModule,
): { size: string; count: number } | null {
  const s = ofKind(train, 'batch').find((b) => b.parts !== null);
  if (s === undefined) return null;
  const count = period(cx, s.parts!, scopeOfModule(module));
  if (count === 1) return null;
  const batch = sizeName(s.size.text);
  cx.unit.requirements.set(`${count} divides ${s.size.text}`, {
    left: num(count),
    relation: 'divides',
    right: batch,
    message: `a step takes its batch in ${count} equal parts`,
    origin: cx.origins.add(s.span, cx.caller, cx.via),
    program: 'step',
  });
  return { size: s.size.text, count };
}

/** `state average: record = Net.params`: a state for every parameter, which begins as the parameter does. */
function recordState(cx: Elaboration, s: Statement<'leaf'>, scope: Scope): void {
  const source = s.value.kind === 'member' && s.value.name.text === 'params' ? s.value : null;
  if (s.leaf !== 'state' || source === null)
    return refuse('NN802', s.span, { what: 'a record that is not `state name: record = m.params`' });
  const base = networkOf(cx, evaluate(cx, source.target, scope, null), source.span).path;
  const saved = (path: string): string => joinPath(s.name.text, path);
  const record = (path: string, ask: Ask | null): Node | null => {
    const full = joinPath(base, path);
    if (ask !== null && ask.sort !== 'param') return null;
    const of =
      cx.unit.leaves.get(full) ?? (ask === null ? null : persistentLeaf(cx, ask.statement, ask.scope, full, 'param'));
    if (of === null || of.leaf.kind !== 'param') return null;
    const leaf = { ...of.leaf, path: saved(path), kind: 'state' as const };
    return cx.leaf(cx.unit.leaves.get(leaf.path) ?? { ...of, leaf });
  };
  const { paths } = leavesAt(cx, base, 'params', [], null);
  scope.set(s.name.text, { kind: 'leaves', get: record, paths, saved });
}
