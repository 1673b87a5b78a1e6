/**
 * A `train` block as programs: the step (forward, backward, optimizer) is one graph, evaluation another, beside `init` and the network's own `forward`.
 */
import type { Callable, Expr, TrainDeclaration, TrainStatement } from '../../grammar/ast.ts';
import { lookup, type Definition, type ProgramModule } from '../check/program.ts';
import { differentiate } from '../differentiate/differentiate.ts';
import type { DataInput, Node, Output, TrainSettings } from '../graph/types.ts';
import { name as sizeName, type Poly } from '../sizes/poly.ts';
import { asTensor, constantOf } from './arithmetic.ts';
import { notYet, refuse, type Elaboration } from './elaboration.ts';
import { evaluate, sizeOf } from './expressions.ts';
import { bindParameters, dtypeOf, namesIn, scopeOfModule, sizesOf, type Given } from './instances.ts';
import type { Scope } from './scope.ts';
import { execute } from './statements.ts';
import { integer, tensor } from './values.ts';

type OptimizerStatement = Extract<TrainStatement, { kind: 'optimizer' }>;

/** Free upper-case names of a data input's shape become run-time sizes. */
export function declareSizes(cx: Elaboration, scope: Scope, e: Expr): void {
  for (const text of namesIn(e))
    if (/^[A-Z]/.test(text) && scope.find(text) === null && lookup(cx.program, scope.module, text) === null)
      scope.set(text, integer(sizeName(text)));
}

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
        feature: 'a run of axes in the signature of a model',
        instead: 'write the axes',
      });
    declareSizes(cx, scope, d.value);
  }
  if (declared.below !== null) declareSizes(cx, scope, declared.below);
  const dtype = dtypeOf(declared);
  if (dtype === null)
    return refuse('NN801', declared.span, {
      feature: `an input of type \`${declared.dtype.text}\``,
      instead: 'fix it with a const',
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
    if (s.kind === 'let' || s.kind === 'assign' || s.kind === 'minimize' || s.kind === 'metric') visit(s.value);
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
  const metrics: string[] = [];
  for (const s of train.statements) {
    switch (s.kind) {
      case 'batch':
        if (s.parts !== null) notYet(s.span, 'accumulation (`in … parts`)', 'use a smaller batch');
        batch = { size: s.size.text, value: number(s.value) };
        break;
      case 'epochs':
        epochs = number(s.value);
        break;
      case 'validate':
        for (const a of s.arguments) {
          if (a.name?.text === 'split') split = number(a.value);
          else if (a.name?.text === 'patience') patience = number(a.value);
          else notYet(a.span, 'cross-validation (`folds`)', 'use `validate(split: 0.1)`');
        }
        break;
      case 'runs':
        notYet(s.span, '`runs`', 'train several times with `--seed`');
        break;
      case 'precision':
        if (s.name.text !== 'f32')
          notYet(s.span, `precision ${s.name.text}`, 'leave it out: everything is computed in f32');
        break;
      case 'gradient':
        notYet(s.span, 'steps on the whole gradient (`gradient |> …`)', 'scale the loss or lower the rate');
        break;
      case 'metric':
        metrics.push(s.name.text);
        break;
      default:
    }
  }
  return { batch, epochs, split, patience, metrics };
}

/** Forward, and in training mode backward and update. Outputs: loss, metrics, persistent updates. */
export function trainGraph(
  cx: Elaboration,
  train: TrainDeclaration,
  module: ProgramModule,
): { outputs: Output[]; inputs: DataInput[] } {
  const scope = scopeOfModule(module).child();
  const inputs: DataInput[] = [];
  let loss: Node | null = null;
  let lossSpan = train.span;
  const metrics: Output[] = [];
  const optimizers: OptimizerStatement[] = [];
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
          if (loss !== null) notYet(s.span, 'a second objective', 'add the two losses');
          if (s.over !== null || s.every !== null)
            notYet(s.span, 'an objective over some of the networks', 'minimize one loss over all');
          loss = asTensor(cx, evaluate(cx, s.value, scope, null), s.span, 'f32');
          lossSpan = s.span;
          break;
        case 'metric':
          metrics.push({
            name: s.name.text,
            node: asTensor(cx, evaluate(cx, s.value, scope, null), s.span, 'f32'),
            updates: null,
          });
          break;
        case 'optimizer':
          optimizers.push(s);
          break;
        default:
      }
    });
  }
  if (loss === null) return refuse('NN802', train.name.span, { what: 'a train block without `minimize`' });
  const result: Output[] = [{ name: 'loss', node: loss, updates: null }, ...metrics];
  if (!cx.training) return { outputs: result, inputs };

  // Backward and update.
  const parameters = [...cx.initial.keys()].filter((path) => cx.unit.leaves.get(path)!.leaf.kind === 'param');
  if (optimizers.length === 0) refuse('NN791', train.name.span, { what: 'no optimizer', name: train.name.text });
  const gradients = cx.at(lossSpan, () =>
    differentiate(
      cx.root,
      loss!,
      parameters.map((p) => cx.initial.get(p)!),
    ),
  );
  const used = new Set<OptimizerStatement>();
  parameters.forEach((path, k) => {
    const chosen = optimizers.find((o) => selects(o, path));
    if (chosen === undefined) return refuse('NN791', train.name.span, { what: 'unmatched parameter', name: path });
    used.add(chosen);
    const w = cx.initial.get(path)!;
    const g = gradients[k] ?? cx.root.zeros(w.type);
    cx.at(chosen.span, () => update(cx, chosen, module, path, w, g));
  });
  for (const o of optimizers)
    if (!used.has(o)) refuse('NN791', o.span, { what: 'empty selector', name: cx.program.sources.text(o.span) });
  for (const [path, node] of cx.current)
    if (cx.initial.has(path) && node !== cx.initial.get(path)) result.push({ name: path, node, updates: path });
  return { outputs: result, inputs };
}

/** `for Critic`, `for "h.*.weight"`; none: everything. */
function selects(o: OptimizerStatement, path: string): boolean {
  if (o.selectors === null) return true;
  return o.selectors.some((s) => {
    if (s.kind === 'name') return path === s.name || path.startsWith(`${s.name}.`);
    if (s.kind !== 'string')
      return refuse('NN801', s.span, { feature: 'this selector', instead: 'name a model, or a path as a string' });
    const pattern = s.value
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/\*\*/g, '§')
      .replace(/\*/g, '[^.]*')
      .replace(/§/g, '.*');
    return new RegExp(`^${pattern}$`).test(path);
  });
}

/** Runs the optimizer's body for one parameter: `w` rebound is its next value, states are its slots. */
function update(cx: Elaboration, o: OptimizerStatement, module: ProgramModule, path: string, w: Node, g: Node): void {
  const call = o.value.kind === 'call' ? o.value : null;
  const callee = call === null ? o.value : call.callee;
  const d = callee.kind === 'name' ? lookup(cx.program, module, callee.name) : null;
  if (d === null || d.declaration.kind !== 'optimizer')
    return refuse('NN802', o.value.span, { what: 'something that is no optimizer' });
  const optimizer: Callable = d.declaration;
  const given: Given[] = (call?.arguments ?? []).map((a) => ({
    name: a.name?.text ?? null,
    value: evaluate(cx, a.value, scopeOfModule(module), null),
    text: null,
    span: a.span,
  }));
  cx.inside(o.span, `optimizer ${optimizer.name.text}`, () => {
    const scope = scopeOfModule(d.module).child();
    bindParameters(cx, optimizer.config ?? [], given, scope, o.span);
    const inner = scope.child();
    bindParameters(
      cx,
      optimizer.parameters,
      [w, g].map((node): Given => ({ name: null, value: tensor(node), text: null, span: o.span })),
      inner,
      o.span,
    );
    const slotOf = cx.slotOf;
    cx.slotOf = path;
    try {
      execute(cx, optimizer.body.statements, inner);
    } finally {
      cx.slotOf = slotOf;
    }
    const next = inner.get(optimizer.parameters[0]!.name.text);
    if (next?.kind === 'tensor') cx.current.set(path, next.node);
  });
}
