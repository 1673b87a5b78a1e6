/**
 * From a checked program to graphs: every `model` and `train` block becomes a `Unit` of programs over shared persistent leaves.
 *
 * The whole language above tensors is gone afterwards: blocks are called, rounds unrolled, conditions decided, index equations are movements
 * and contractions. Sizes known only at run time stay symbolic.
 */
import type { Callable, CheckpointDeclaration, Expr, Name, TrainDeclaration } from '../../grammar/ast.ts';
import { lookup, type Program, type ProgramModule } from '../check/program.ts';
import type { Problem } from '../diagnostics/problem.ts';
import { problem } from '../diagnostics/problem.ts';
import { Origins } from '../graph/origin.ts';
import type { DataInput, Graph, Leaf, Output, ProgramName, SizeSpec, Unit } from '../graph/types.ts';
import { name as sizeName, names } from '../sizes/poly.ts';
import { asTensor } from './arithmetic.ts';
import { Elaboration, Refusal, refuse, UnitState } from './elaboration.ts';
import { NotKept } from './cells.ts';
import { checkpointMap } from './checkpoints.ts';
import { bindParameters, callResult, dtypeOf, instantiate, scopeOfModule, sizesOf } from './instances.ts';
import { integer, type InstanceValue, type Value } from './values.ts';
import { initialValue } from './statements.ts';
import { goesByValidation, validatedGraph } from './schedules.ts';
import { dataInput, isHalf, modelsOf, settingsOf, trainGraph } from './training.ts';

export interface Elaborated {
  readonly units: readonly Unit[];
  readonly origins: Origins;
  readonly problems: readonly Problem[];
}

export interface ElaborateOptions {
  /** From the checker: for each scan, which axis of each source is scanned, counted from the end. */
  readonly scanAxes?: ReadonlyMap<Expr, readonly number[]>;
  /** Only this model or train block; default: all of the entry file. */
  readonly only?: string;
  /** Inner values that `forward`, and a train block's `evaluate`, give as further results, by path. */
  readonly expose?: readonly string[];
}

export function elaborate(program: Program, options: ElaborateOptions = {}): Elaborated {
  const origins = new Origins();
  const units: Unit[] = [];
  const problems: Problem[] = [];
  const scanAxes = options.scanAxes ?? new Map<Expr, readonly number[]>();
  const expose = options.expose ?? [];
  const own = program.entry.ast.declarations.filter(
    (d): d is TrainDeclaration | Callable => d.kind === 'train' || d.kind === 'model',
  );
  const chosen = options.only === undefined ? own : own.filter((d) => d.name.text === options.only);
  if (options.only !== undefined && chosen.length === 0)
    problems.push(problem('NN790', null, { name: options.only, known: own.map((d) => d.name.text) }));
  for (const d of chosen) {
    try {
      units.push(
        d.kind === 'train'
          ? trainUnit(program, origins, d, program.entry, scanAxes, expose)
          : modelUnit(program, origins, d, program.entry, scanAxes, expose),
      );
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problems.push(error.problem);
    }
  }
  return { units, origins, problems };
}

type Axes = ReadonlyMap<Expr, readonly number[]>;

function modelUnit(
  program: Program,
  origins: Origins,
  model: Callable,
  module: ProgramModule,
  axes: Axes,
  expose: readonly string[],
): Unit {
  const name = model.name.text;
  // Other networks that it names have their names in front, but for one that all parameters belong to.
  const attempt = (bare: string | null) => {
    const unit = new UnitState();
    const made = settled(unit, () => {
      const cx = new Elaboration(`${name}.forward`, program, origins, unit, false, axes);
      cx.networkPrefix = (other) => (other === name || other === bare ? '' : other);
      return { cx, ...forwardGraph(cx, model, module, '', new Map(), expose) };
    });
    return { unit, ...made };
  };
  let made = attempt(null);
  const [first] = made.unit.leaves.keys();
  const front = first?.split('.')[0];
  const isNetwork = front !== undefined && lookup(program, module, front)?.declaration.kind === 'model';
  if (isNetwork && [...made.unit.leaves.keys()].every((path) => path.startsWith(`${front}.`))) made = attempt(front);
  const { unit, cx, outputs, inputs } = made;
  demand(expose, model.name, cx);
  const programs = new Map<ProgramName, Graph>([['forward', cx.root.finish(outputs)]]);
  const stream = streamGraph(program, origins, unit, model, module, axes, expose);
  if (stream !== null) programs.set('stream', stream);
  return finishUnit(program, origins, unit, name, 'model', inputs, programs, axes, null, name);
}

/**
 * The model as a program that goes on from call to call: carries of its layers are leaves that it updates. Null where it has none, or where one has a
 * size or a beginning that depends on the call.
 */
function streamGraph(
  program: Program,
  origins: Origins,
  unit: UnitState,
  model: Callable,
  module: ProgramModule,
  axes: Axes,
  expose: readonly string[],
): Graph | null {
  const before = new Set(unit.leaves.keys());
  const cx = new Elaboration(`${model.name.text}.stream`, program, origins, unit, false, axes);
  cx.streamed = new Map();
  try {
    const { outputs } = forwardGraph(cx, model, module, '', new Map(), expose);
    if (cx.streamed.size === 0) return null;
    const updates = [...cx.streamed].map(([path, key]): Output => ({
      name: path,
      node: cx.current.get(key)!,
      updates: path,
    }));
    return cx.root.finish([...outputs, ...updates]);
  } catch (error) {
    if (!(error instanceof NotKept)) throw error;
    for (const path of unit.leaves.keys()) if (!before.has(path)) unit.leaves.delete(path);
    return null;
  }
}

function trainUnit(
  program: Program,
  origins: Origins,
  train: TrainDeclaration,
  module: ProgramModule,
  axes: Axes,
  expose: readonly string[],
): Unit {
  const unit = new UnitState();
  const name = train.name.text;
  const build = (program_: ProgramName, training: boolean) => settled(unit, () => once(program_, training));
  const once = (program_: ProgramName, training: boolean): { cx: Elaboration; graph: Graph; inputs: DataInput[] } => {
    const cx = new Elaboration(`${name}.${program_}`, program, origins, unit, training, axes);
    const models = modelsOf(cx, train, module);
    // One network keeps its own paths; several have their names in front.
    cx.networkPrefix = (model) => (models.length > 1 ? model : '');
    cx.half = isHalf(train);
    const { outputs, inputs } = cx.at(train.name.span, () => trainGraph(cx, train, module));
    const further = training ? [] : exposed(cx, expose, outputs);
    return { cx, graph: cx.root.finish([...outputs, ...further]), inputs };
  };
  const step = build('step', true);
  const evaluation = build('evaluate', false);
  const settings = settingsOf(step.cx, train, module);
  const programs = new Map<ProgramName, Graph>([
    ['step', step.graph],
    ['evaluate', evaluation.graph],
  ]);
  if (goesByValidation(step.cx)) {
    const cx = new Elaboration(`${name}.validated`, program, origins, unit, true, axes);
    programs.set('validated', cx.root.finish(cx.at(train.name.span, () => validatedGraph(cx, train, module))));
  }
  const inputs = [...step.inputs];
  const models = modelsOf(step.cx, train, module);
  // One that is only used with a configuration is no program of its own.
  const isWhole = (d: Callable): boolean => (d.config ?? []).every((p) => p.default !== null);
  if (models.length === 1 && isWhole(models[0]!.declaration as Callable)) {
    const cx = new Elaboration(`${name}.forward`, program, origins, unit, false, axes);
    cx.half = isHalf(train);
    const model = models[0]!.declaration as Callable;
    const taken = new Map(inputs.map((i) => [i.name, i]));
    const forward = forwardGraph(cx, model, models[0]!.module, '', taken, expose);
    programs.set('forward', cx.root.finish(forward.outputs));
    for (const i of forward.inputs) if (!inputs.some((known) => known.name === i.name)) inputs.push(i);
    demand(expose, train.name, cx, evaluation.cx);
  } else demand(expose, train.name, evaluation.cx);
  const network = models.length === 1 ? models[0]!.declaration : null;
  const model = network?.kind === 'model' ? network.name.text : null;
  return finishUnit(program, origins, unit, name, 'train', inputs, programs, axes, settings, model);
}

/** A model applied to data inputs named like its parameters; an input that the train block has with another type gets the model's name in front. */
function forwardGraph(
  cx: Elaboration,
  model: Callable,
  module: ProgramModule,
  path: string,
  taken: ReadonlyMap<string, DataInput>,
  expose: readonly string[],
): { outputs: Output[]; inputs: DataInput[] } {
  return cx.at(model.name.span, () => {
    for (const p of model.config ?? [])
      if (p.default === null)
        refuse('NN801', p.span, {
          feature: `\`${p.name.text}\` of the configuration`,
          instead: 'give it a default, or make it a const',
        });
    const instance: InstanceValue = instantiate(cx, model, module, [], path, model.name.span);
    const scope = instance.scope.child();
    const inputs: DataInput[] = [];
    for (const p of model.parameters) {
      if (p.type === null) continue;
      if (p.default !== null) {
        bindParameters(cx, [p], [], scope, p.span);
        continue;
      }
      if (p.type.dtype.text === 'size') {
        scope.set(p.name.text, integer(sizeName(p.name.text)));
        cx.unit.sizes.add(p.name.text);
        continue;
      }
      const name = p.name.text;
      const other = taken.get(name);
      const probe = other === undefined ? null : sameDeclared(cx, p.type, other, scope);
      const shown = other === undefined || probe === true ? name : `${model.name.text}_${name}`;
      inputs.push(dataInput(cx, scope, name, p.type, shown).input);
    }
    cx.path = path;
    const result = cx.inBody(instance.store, () =>
      cx.inside(model.name.span, `model ${model.name.text}`, () => callResult(cx, model, scope, model.name.span)),
    );
    const outputs = namedResults(cx, model, result);
    return { outputs: [...outputs, ...exposed(cx, expose, outputs)], inputs };
  });
}

/** The inner values of these paths that a program has, as further results of it. */
function exposed(cx: Elaboration, paths: readonly string[], own: readonly Output[]): Output[] {
  return [...new Set(paths)].flatMap((path) => {
    const node = cx.values.get(path);
    return node === undefined || own.some((o) => o.name === path) ? [] : [{ name: path, node, updates: null }];
  });
}

/** A path that no program has a value for is refused. */
function demand(paths: readonly string[], block: Name, ...programs: readonly Elaboration[]): void {
  const known = [...new Set(programs.flatMap((cx) => [...cx.values.keys()]))];
  const strange = paths.find((path) => !known.includes(path));
  if (strange !== undefined) refuse('NN793', block.span, { path: strange, model: block.text, known });
}

/** Whether a model's parameter declares just what the train block's input of that name is. */
function sameDeclared(
  cx: Elaboration,
  type: NonNullable<Callable['parameters'][number]['type']>,
  other: DataInput,
  scope: InstanceValue['scope'],
): boolean {
  const trial = scope.child();
  for (const d of type.shape ?? []) {
    if (d.kind !== 'size' || d.value.kind !== 'name') continue;
    if (
      /^[A-Z]/.test(d.value.name) &&
      trial.find(d.value.name) === null &&
      cx.program.library.get(d.value.name) === undefined &&
      !trial.module.names.has(d.value.name)
    ) {
      const k = (type.shape ?? []).indexOf(d);
      const size = other.type.sizes[k];
      if (size === undefined || size !== sizeName(d.value.name)) return false;
      trial.set(d.value.name, { kind: 'integer', poly: size });
    }
  }
  const sizes = type.shape === null ? [] : sizesOf(cx, type.shape, trial);
  return (
    dtypeOf(type) === other.type.dtype &&
    sizes.length === other.type.sizes.length &&
    sizes.every((s, k) => s === other.type.sizes[k])
  );
}

/** Results by the names that the model gives them: fields, the returned name, or `output`. */
function namedResults(cx: Elaboration, model: Callable, result: Value): Output[] {
  if (result.kind === 'record')
    return [...result.fields].map(([name, v]) => ({
      name,
      node: asTensor(cx, v, model.name.span, null),
      updates: null,
    }));
  const last = model.body.statements.at(-1);
  const value = last?.kind === 'return' || last?.kind === 'expression' ? last.value : null;
  const name =
    value?.kind === 'name' && !model.parameters.some((p) => p.name.text === value.name) ? value.name : 'output';
  return [{ name, node: asTensor(cx, result, model.name.span, null), updates: null }];
}

/** Elaborates again while records whose leaves were all needed turn out to have more. */
function settled<T>(unit: UnitState, make: () => T): T {
  for (let tries = 0; ; tries++) {
    unit.listings = [];
    const result = make();
    if (tries < 8 && unit.listings.some((l) => l.count !== l.recount())) continue;
    if (unit.listings.some((l) => l.count === 0))
      throw new Refusal(
        problem('NN805', null, { what: 'all its leaves are needed, but its network is never called, or has none' }),
      );
    return result;
  }
}

/** Every selector of a `with { … }` names something. */
function demandSelectors(unit: UnitState): void {
  for (const [e, { text, below, matched }] of unit.selectors) {
    if (matched) continue;
    const known = [...unit.leaves.keys()].flatMap((path) =>
      below === '' ? [path] : path.startsWith(`${below}.`) ? [path.slice(below.length + 1)] : [],
    );
    refuse('NN720', e.span, {
      path: text,
      of: below === '' ? 'the network' : below,
      suggestion: null,
      known: known.slice(0, 12),
    });
  }
}

/** The graph of initial values, and what the unit knows of sizes. */
function finishUnit(
  program: Program,
  origins: Origins,
  unit: UnitState,
  name: string,
  kind: Unit['kind'],
  inputs: readonly DataInput[],
  programs: Map<ProgramName, Graph>,
  axes: Axes,
  training: Unit['training'],
  /** Whose leaves these are; null: several networks'. */
  network: string | null,
): Unit {
  demandSelectors(unit);
  const cx = new Elaboration(`${name}.init`, program, origins, unit, false, axes);
  const outputs: Output[] = [];
  const leaves: Leaf[] = [];
  for (const [path, record] of unit.leaves) {
    leaves.push(record.leaf);
    cx.initStream = record.stream;
    cx.drawCount.clear();
    const node = cx.builder.at(record.leaf.origin, () => initialValue(cx, record.statement, record.scope));
    outputs.push({ name: path, node, updates: path });
  }
  const all = new Map<ProgramName, Graph>([['init', cx.root.finish(outputs)], ...programs]);
  const sizeNames = new Set([...unit.sizes, ...inputs.flatMap((i) => i.type.sizes.flatMap((s) => [...names(s)]))]);
  const sizes: SizeSpec[] = [...sizeNames].map((n) => ({ name: n, bound: unit.bounds.get(n) ?? null }));
  const own = program.entry.ast.declarations.filter(
    (d): d is CheckpointDeclaration => d.kind === 'checkpoint' && d.model.text === network,
  );
  const scope = scopeOfModule(program.entry);
  return {
    name,
    kind,
    leaves,
    inputs,
    sizes,
    requirements: [...unit.requirements.values()],
    programs: all,
    checkpoints: own.map((d) => cx.at(d.span, () => checkpointMap(cx, d, leaves, scope))),
    // Training moves parameters by less than what is stored smaller could tell.
    storage: kind === 'train' || network === null ? [] : storageRules(program, network),
    training,
  };
}

const storageRules = (program: Program, model: string): Unit['storage'] =>
  program.entry.ast.declarations.flatMap((d) =>
    d.kind === 'storage' && d.model.text === model
      ? d.entries.map(({ path, as, span }) => ({ rule: `${path}=${as}`, span }))
      : [],
  );
