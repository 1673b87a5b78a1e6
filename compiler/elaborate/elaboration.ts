/**
 * The state of one elaboration: the graph under construction, the persistent leaves met so far, paths, the mode (training or not).
 *
 * Elaboration trusts the checker: it reports only what depends on concrete sizes or is not built yet, by throwing a `Refusal` that
 * `elaborate` turns into a problem. Everything else that goes wrong here is a bug of the compiler.
 */
import type { Expr, Index, LeafStatement, Span } from '../../grammar/ast.ts';
import type { Program } from '../check/program.ts';
import type { Code, Problem, ProblemData } from '../diagnostics/problem.ts';
import { problem } from '../diagnostics/problem.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { OriginId, Origins } from '../graph/origin.ts';
import type { Leaf, Node, RuntimeRequirement, TensorType } from '../graph/types.ts';
import { mod, ZERO, type Poly } from '../sizes/poly.ts';
import type { LoopFrame, Store } from './cells.ts';
import type { Override } from './records.ts';
import type { Scope } from './scope.ts';
import type { Value } from './values.ts';

/** Thrown inside elaboration only; carries what to report. */
export class Refusal extends Error {
  readonly problem: Problem;
  constructor(p: Problem) {
    super(p.code);
    this.problem = p;
  }
}

export function refuse<C extends Code>(code: C, span: Span, data: ProblemData[C]): never {
  throw new Refusal(problem(code, span, data));
}

/** A leaf and how its initial value is computed: evaluated later, in the graph of `init`. */
export interface LeafRecord {
  readonly leaf: Leaf;
  readonly statement: LeafStatement;
  readonly scope: Scope;
  readonly span: Span;
  /** The number of the draws of its initial value. */
  readonly stream: string;
}

/** What all programs of a unit share: leaves by path, names of instances, consts. */
export class UnitState {
  readonly leaves = new Map<string, LeafRecord>();
  readonly requirements = new Map<string, RuntimeRequirement>();
  readonly bounds = new Map<string, number>();
  readonly consts = new Map<object, Value>();
  /** Sizes that a model takes as parameters. */
  readonly sizes = new Set<string>();
  /** How many leaves a record had where all of them were needed: if there are more in the end, the program is elaborated again. */
  listings: { readonly count: number; readonly recount: () => number }[] = [];
  /** Selectors of `with { … }`, and whether they have named a leaf. */
  readonly selectors = new Map<Expr, { readonly text: string; readonly below: string; matched: boolean }>();
  /** Whether a `require` left for run time says that b divides a. */
  divides(a: Poly, b: Poly): boolean {
    return this.requirements.has(`${mod(a, b).key} == ${ZERO.key}`);
  }

  private readonly segments = new Map<string, { byNode: Map<object, string>; used: Set<string> }>();

  /** The segment for this occurrence under `prefix`: `wanted`, or `wanted_2` if another occurrence has it. */
  segment(prefix: string, occurrence: object, wanted: string): string {
    let names = this.segments.get(prefix);
    if (names === undefined) this.segments.set(prefix, (names = { byNode: new Map(), used: new Set() }));
    const known = names.byNode.get(occurrence);
    if (known !== undefined) return known;
    let name = wanted;
    for (let n = 2; names.used.has(name); n++) name = `${wanted}_${n}`;
    names.used.add(name);
    names.byNode.set(occurrence, name);
    return name;
  }
}

export const joinPath = (prefix: string, segment: string): string =>
  prefix === '' ? segment : segment === '' ? prefix : `${prefix}.${segment}`;

/** FNV-1a: a stable number for an instance's draw, so that it does not depend on what is drawn elsewhere. Never 0. */
export function streamNumber(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash & 0x7fffffff || 1;
}

/** One `yield` of a round. `position`: where the scanned axis stands among the result's axes. */
export interface Yielded {
  readonly name: string | null;
  readonly node: Node;
  readonly position: number | null;
  /** What stands in the rounds that do not run, after an `until`: an expression over what is known outside. */
  readonly fill: { readonly value: Expr; readonly indices: readonly Index[] | null } | null;
}

/** One program (graph) of a unit under construction. */
export class Elaboration {
  readonly program: Program;
  readonly origins: Origins;
  readonly unit: UnitState;
  /** As in a step of training; `eval(m)` computes without. */
  training: boolean;
  readonly root: GraphBuilder;
  /** Where nodes are made now: the root, or the body of a scan. */
  builder: GraphBuilder;
  /** Where instances made now have their parameters. */
  path = '';
  /** Parent of the origins made now: the call that led here. */
  caller: OriginId | null = null;
  via = '';
  /** Current value of every persistent leaf read or rebound so far. */
  readonly current = new Map<string, Node>();
  readonly initial = new Map<string, Node>();
  /** For the program that goes on from call to call: the carries that it keeps, path of the leaf → key of the cell. Null in others. */
  streamed: Map<string, string> | null = null;
  /** Step number as i32, as the innermost loop sees it (each round counts). */
  drawStep: Node | null = null;
  /** f32 scalar for `step` in schedules and optimizers. */
  private seedNode: Node | null = null;
  private stepNode: Node | null = null;
  /** What a name for draws is made of beside the place: the paths so far. */
  drawCount = new Map<string, number>();
  /** Values by path, for `expose`: results and arguments of layers, and `let`s. The latest of each; what is inside a loop has no value outside. */
  readonly values = new Map<string, Node>();
  readonly scanAxes: ReadonlyMap<Expr, readonly number[]>;
  /** When elaborating `init`: the path of the leaf whose initial value is being computed. */
  initStream: string | null = null;
  /** Where reads may be undefined is collected here for the enclosing `else`; null: nobody asks. */
  masks: Value[] | null = null;
  /** Condition under which the expression being evaluated is used at all: reads take their gradient only there. */
  guard: Value | null = null;
  /** Evaluating a size or an index: `/` is exact there. */
  wantInteger = false;
  /** The shape that a draw or an initialiser takes outside an equation. */
  drawSizes: readonly Poly[] | null = null;
  /** Inside an optimizer's body: the parameter whose slots its states are. */
  slotOf: string | null = null;
  /** In the program that runs after a validation: its loss. Null in others. */
  validation: Node | null = null;
  /** Where schedules keep their states, and what they gave in the program that runs after a validation. */
  scheduleOf = 'schedule';
  readonly scheduled = new Map<string, Node>();
  /** What the scan being built yields. */
  yields: Yielded[] | null = null;
  /** How many values got an identity of their own, see `statements.ts`. */
  identities = 0;
  /** The loops being made, outermost first. */
  readonly loops: LoopFrame[] = [];
  /** Where carries of instances live now; null in a function, whose carries are its own. */
  store: Store | null = null;
  /** The run of a body that statements belong to. */
  bodyRun: object = this;
  /** For each `until` of the scan being made, its condition in the round; null: the scan has none. */
  stops: Node[] | null = null;
  private count = 0;
  /** `precision f16`. */
  half = false;
  /** What the layer being called reads in place of its own leaves. */
  overrides: readonly Override[] = [];
  /** What `step` is in an optimizer whose parameters are not updated in every step. */
  updates: Node | null = null;
  /** Names of the enclosing network when several are in one train block. */
  networkPrefix: ((model: string) => string) | null = null;

  constructor(
    name: string,
    program: Program,
    origins: Origins,
    unit: UnitState,
    training: boolean,
    scanAxes: ReadonlyMap<Expr, readonly number[]>,
  ) {
    this.program = program;
    this.origins = origins;
    this.unit = unit;
    this.training = training;
    this.root = new GraphBuilder(name, origins);
    this.builder = this.root;
    this.scanAxes = scanAxes;
  }

  /** Runs `f` with the origin of this span current. */
  at<T>(span: Span, f: () => T): T {
    return this.builder.at(this.origins.add(span, this.caller, this.via), f);
  }

  /** Runs `f` inside a call: origins made there have this call as parent. */
  inside<T>(span: Span, via: string, f: () => T): T {
    const { caller, via: before } = this;
    this.caller = this.origins.add(span, caller, before);
    this.via = via;
    try {
      return this.builder.at(this.caller, f);
    } finally {
      this.caller = caller;
      this.via = before;
    }
  }

  /** Runs `f` where no enclosing `else` or guard is meant: arguments, bodies of callables. */
  plain<T>(f: () => T): T {
    const { masks, guard } = this;
    this.masks = null;
    this.guard = null;
    try {
      return f();
    } finally {
      this.masks = masks;
      this.guard = guard;
    }
  }

  /** Where the leaves of a network stand. */
  networkPath(model: string): string {
    return this.networkPrefix === null ? '' : this.networkPrefix(model);
  }

  /** An operand of a product of tensors: with `precision f16` rounded to half precision, its gradient not. */
  operand(x: Node): Node {
    const b = this.builder;
    if (!this.half || x.type.dtype !== 'f32') return x;
    // Before axes are only put in other places: then a product has its operands as it has them without rounding, and equal ones are rounded once.
    const inner = (): Node => this.operand(x.inputs[0]!);
    if (x.op === 'transpose') return b.transpose(inner(), x.attrs.perm);
    if (x.op === 'split') return b.split(inner(), x.attrs.axis, x.attrs.sizes);
    if (x.op === 'merge') return b.merge(inner(), x.attrs.axis, x.attrs.count);
    if (x.op === 'broadcast') return b.broadcast(inner(), x.type.sizes, x.attrs.axes);
    return b.surrogate(b.cast(b.cast(x, 'f16'), 'f32'), x);
  }

  /** A number that no other call gives. */
  fresh(): number {
    return this.count++;
  }

  /** Runs a body of its own: what it declares is not of the enclosing one, its carries live in `store`. */
  inBody<T>(store: Store | null, f: () => T): T {
    const { bodyRun, store: before } = this;
    this.bodyRun = {};
    this.store = store;
    try {
      return f();
    } finally {
      this.bodyRun = bodyRun;
      this.store = before;
    }
  }

  withDrawSizes<T>(sizes: readonly Poly[] | null, f: () => T): T {
    const before = this.drawSizes;
    this.drawSizes = sizes;
    try {
      return f();
    } finally {
      this.drawSizes = before;
    }
  }

  withPath<T>(path: string, f: () => T): T {
    const before = this.path;
    this.path = path;
    try {
      return f();
    } finally {
      this.path = before;
    }
  }

  /** Remembers a value under `name` at the current path. */
  note(name: string, value: Value | null): void {
    const at = joinPath(this.path, name);
    if (value?.kind === 'tensor' && this.builder === this.root && at !== '') this.values.set(at, value.node);
  }

  get seed(): Node {
    this.seedNode ??= this.root.input('seed', 'scalar', { dtype: 'i32', sizes: [] }, this.builder.origin);
    return this.seedNode;
  }

  /** The step's number, from 1. */
  get step(): Node {
    this.stepNode ??= this.root.input('step', 'scalar', { dtype: 'i32', sizes: [] }, this.builder.origin);
    return this.stepNode;
  }

  /** The current value of a persistent leaf, registered on first sight. */
  leaf(record: LeafRecord): Node {
    const { path, type, kind, origin } = record.leaf;
    if (!this.unit.leaves.has(path)) this.unit.leaves.set(path, record);
    const known = this.current.get(path);
    if (known !== undefined) return known;
    const node = this.root.input(path, kind, type, origin);
    this.current.set(path, node);
    this.initial.set(path, node);
    return node;
  }

  /** A number for the next draw of this instance (or of this leaf's initial value), the same in every program of the unit. */
  stream(): number {
    const place = this.initStream ?? this.path;
    const count = this.drawCount.get(place) ?? 0;
    this.drawCount.set(place, count + 1);
    return streamNumber(`${place}#${count}`);
  }
}

export const scalarType = (dtype: TensorType['dtype']): TensorType => ({ dtype, sizes: [] });
