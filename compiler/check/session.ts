/**
 * The state of one check: the session (whole program) and the frame (one body). Functions of the other files take the frame first.
 *
 * Problems are collected here, deduplicated by code and place: unrolled rounds and joined branches look at the same text several times.
 */
import type { Callable, Expr, Name, Span, TypeExpr } from '../../grammar/ast.ts';
import type { Fix, Problem, ProblemData } from '../diagnostics/problem.ts';
import { problem } from '../diagnostics/problem.ts';
import type { CheckProblems } from '../diagnostics/families/check.ts';
import type { Condition } from './conditions.ts';
import { conjuncts, either, formatCondition, negate } from './conditions.ts';
import { Knowledge } from './knowledge.ts';
import type { Definition, Program, ProgramModule } from './program.ts';
import type { LocalBinding, ValueBinding } from './scope.ts';
import { Tables } from './tables.ts';
import { Units } from './units.ts';
import { Scope } from './scope.ts';
import type { Axis, Instance, Type } from './types.ts';

/** What a name expression means: a declaration, or a local binding (parameter, let, index letter, size). */
export type Reference =
  | { readonly kind: 'definition'; readonly definition: Definition }
  | { readonly kind: 'local'; readonly binding: LocalBinding }
  | { readonly kind: 'builtin'; readonly name: string };

/** A condition that a body needs of its sizes and configuration. */
export interface Requirement {
  readonly condition: Condition;
  readonly message: string | null;
  /** The `require`, in this body or in the callee it comes from. */
  readonly span: Span;
  /** From the outermost call inward: where the requirement was handed on. */
  readonly chain: readonly { readonly name: string; readonly span: Span }[];
}

export interface ParameterInfo {
  readonly name: string;
  readonly span: Span;
  readonly type: Type;
  readonly default: Expr | null;
  /** The default's type, in the callee's own sizes. */
  readonly defaultType: Type | null;
  /** `as logits`, `as probs(C)`, …: what the argument must be. */
  readonly demand: string | null;
  readonly declaredType: TypeExpr | null;
}

export interface Signature {
  readonly definition: Definition;
  readonly config: readonly ParameterInfo[] | null;
  readonly parameters: readonly ParameterInfo[];
  /** Names the parameters introduce, in order; runs by themselves. */
  readonly sizes: readonly string[];
  readonly runs: readonly string[];
  /** Sizes that only the result names: an initialiser takes them from its context. */
  readonly contextual: readonly string[];
  readonly damaged: boolean;
  /** Known after the body was checked (or declared). */
  result: Type | null;
  /** Own and lifted requirements. */
  requirements: Requirement[];
  /** Sizes on which the shapes of its parameters and states depend (rule 11). */
  instanceSizes: ReadonlySet<string>;
  /** `param` and `state` leaves, and instances by label or let name, for `tokens.weight`. */
  leaves: Map<string, Type>;
  instances: Map<string, Instance>;
  /** Paths of parameters as checkpoints write them (`h.*.attn.weight`); null where a part has no name. */
  paths: Map<string, readonly Axis[]>;
  state: 'declared' | 'checking' | 'checked';
}

/** Collects what may leave a tensor on the left of `else`; null where everything must be defined. */
export type Undefinedness = Condition[] | null;

export interface LoopState {
  readonly kind: 'scan' | 'repeat';
  readonly length: Axis | null;
  readonly variable: string | null;
  readonly reversed: boolean;
  /** The first `until`. */
  until: Span | null;
  readonly yields: Map<string, { type: Type; span: Span }>;
  unnamed: { type: Type; span: Span } | null;
}

export interface Returned {
  readonly type: Type;
  readonly knowledge: Knowledge;
  readonly span: Span;
}

/** Operators in one another: far more than a person writes, far less than the call stack holds. */
const DEEPEST = 400;

export class Session {
  readonly program: Program;
  readonly problems: Problem[] = [];
  readonly units: Units;
  readonly written: Tables['written'];
  readonly types: Tables['types'];
  readonly signatures: Tables['signatures'];
  readonly scanAxes: Tables['scanAxes'];
  readonly references: Tables['references'];
  readonly bodyChecks: Tables['bodyChecks'];
  readonly lets: Tables['lets'];
  readonly consts: Tables['consts'];
  readonly constValues: Tables['constValues'];
  readonly trains: Tables['trains'];
  readonly softmaxes: Tables['softmaxes'];
  readonly shared = new Map<Callable, Instance>();
  readonly candidates = new Map<Problem, readonly Fix[]>();
  /** Finds out all there is to know of a declaration. */
  readonly settle: (definition: Definition) => void;
  private readonly seen = new Set<string>();
  private depth = 0;

  constructor(program: Program, settle: (session: Session, definition: Definition) => void) {
    this.program = program;
    const tables = program.kept?.tables ?? new Tables();
    tables.begin();
    this.written = tables.written;
    ({
      types: this.types,
      signatures: this.signatures,
      scanAxes: this.scanAxes,
      references: this.references,
      bodyChecks: this.bodyChecks,
      lets: this.lets,
      consts: this.consts,
      constValues: this.constValues,
      trains: this.trains,
      softmaxes: this.softmaxes,
    } = tables);
    this.units = new Units(this, tables);
    this.settle = (definition) => settle(this, definition);
  }

  isSettled({ declaration }: Definition): boolean {
    if (declaration.kind === 'train') return true;
    if (!this.units.isFresh(declaration)) return false;
    if (declaration.kind !== 'const') return this.signatures.get(declaration)?.state === 'checked';
    const type = this.consts.get(declaration);
    return type !== undefined && type !== 'checking';
  }

  /** Reported so far by the declaration that is being checked, or to a mute listener. */
  get problemCount(): number {
    const { mutes, reported } = this.units.current;
    return mutes.at(-1)?.length ?? reported;
  }

  /** Runs `f` one level deeper in the syntax; null where the call stack could end. */
  deeper<T>(f: () => T): T | null {
    if (this.depth >= DEEPEST) return null;
    this.depth++;
    try {
      return f();
    } finally {
      this.depth--;
    }
  }

  /** Another body starts at the surface, wherever the call to it stands. */
  atSurface(f: () => void): void {
    const outer = this.depth;
    this.depth = 0;
    f();
    this.depth = outer;
  }

  /** A mark for an internal name. */
  fresh(): string {
    return this.units.current.fresh();
  }

  report<C extends keyof CheckProblems>(
    code: C,
    span: Span | null,
    data: CheckProblems[C],
    fixes: readonly Fix[] = [],
  ): void {
    const made = this.anchored(problem(code, span, data as unknown as ProblemData[C]));
    const unit = this.units.current;
    if (unit.mutes.length > 0) {
      unit.mutes.at(-1)!.push(made);
      return;
    }
    const entry = { problem: made, fixes: this.anchored(fixes) };
    unit.problems.push(entry);
    if (this.deliver(entry.problem, entry.fixes)) unit.reported++;
  }

  /** False for what was said before. */
  deliver(made: Problem, fixes: readonly Fix[]): boolean {
    const { code, span } = made;
    const key = `${code}@${span === null ? '' : `${span.file}:${span.start}:${span.end}`}`;
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    this.problems.push(made);
    if (fixes.length > 0) this.candidates.set(made, fixes);
    return true;
  }

  private anchored<T>(value: T): T {
    const { kept } = this.program;
    return kept === null ? value : kept.anchoredIn(value, this.program);
  }

  /** Runs `f` without reporting; says how many problems it would have reported. */
  quietly<T>(f: () => T): { readonly value: T; readonly problems: number } {
    const bucket: Problem[] = [];
    const { mutes } = this.units.current;
    mutes.push(bucket);
    try {
      return { value: f(), problems: bucket.length };
    } finally {
      mutes.pop();
    }
  }
}

/** Where a report says that the loss of a validation is not known. */
export const OUTSIDE_VALIDATED = 'a schedule outside `if validated { … }`';

export class Frame {
  readonly session: Session;
  readonly module: ProgramModule;
  readonly callable: Callable | null;
  readonly signature: Signature | null;
  scope: Scope;
  know: Knowledge;
  /** Inside an index equation's expression: values are scalars at a position. */
  inEquation = false;
  undefinedness: Undefinedness = null;
  /** The shape that draws take; null where there is none. */
  drawShape: readonly Axis[] | null = null;
  loops: LoopState[] = [];
  returns: Returned[] = [];
  /** The value of the last statement, where it is an expression. */
  lastValue: { readonly type: Type; readonly span: Span } | null = null;
  /** Every binding a name in the text made (several when rounds are unrolled), to find the unused. */
  readonly bindings = new Map<Name, ValueBinding[]>();
  requirements: Requirement[] = [];
  /** Labels of this body → where. */
  labels = new Map<string, Span>();
  /** Head of the body: requires still belong to the signature. */
  readonly sizesOfParameters = new Set<string>();
  /** A damaged declaration: undefined names stay quiet. */
  /** In a train block: some `with { … |> f }` may add parameters that no model has. */
  adapted = false;
  damaged = false;
  /** An expression of this body was too deep to check: reported once. */
  tooDeep = false;
  label: string | null = null;
  /** Letters of the reductions of the running equation. */
  reductions = new Map<object, readonly LocalBinding[]>();
  /** What its reads read. */
  readTargets = new Map<object, Type>();
  /** Path of enclosing repeats (`h.*`) for checkpoint names. */
  path: readonly (string | null)[] = [];
  /** `require`s that the signature has read already. */
  readonly headRequires = new Set<object>();
  /** Sizes that a train block's inputs introduce. */
  readonly inputSizes: string[] = [];
  /** Conditions of the enclosing compile-time branches. */
  branches: readonly Condition[] = [];
  /** Arguments of a schedule are being checked: it is handed on what a validation measures. */
  handsOn = false;

  constructor(
    session: Session,
    module: ProgramModule,
    callable: Callable | null,
    signature: Signature | null,
    know: Knowledge,
  ) {
    this.session = session;
    this.module = module;
    this.callable = callable;
    this.signature = signature;
    this.scope = new Scope(null);
    this.know = know;
  }

  /** Adds a requirement of the body, once. */
  need(r: Requirement): void {
    const text = formatCondition(r.condition);
    if (!this.requirements.some((old) => formatCondition(old.condition) === text)) this.requirements.push(r);
  }

  lookup(name: string): Definition | null {
    return this.session.units.lookup(this.module, name);
  }

  /** Only what the module itself declares or imports. */
  lookupOwn(name: string): Definition | null {
    return this.session.units.lookup(this.module, name, true);
  }

  /** Runs `f` in a child scope. */
  scoped<T>(f: () => T): T {
    const outer = this.scope;
    this.scope = new Scope(outer);
    try {
      return f();
    } finally {
      this.scope = outer;
    }
  }

  /** Runs `f` knowing more; what it assumes is forgotten afterwards. */
  knowing<T>(conditions: readonly Condition[], f: () => T): T {
    if (conditions.length === 0) return f();
    const outer = this.know;
    this.know = outer.branch();
    for (const c of conditions) this.know.assume(c);
    try {
      return f();
    } finally {
      this.know = outer;
    }
  }

  /** Whether this is inside `if validated { … }`. */
  get isValidated(): boolean {
    const says = (c: Condition): boolean => c.kind === 'opaque' && c.text === 'validated' && !c.negated;
    return this.handsOn || this.branches.some((c) => conjuncts(c).some(says));
  }

  /** A condition needed here, as a condition of the whole body: only where the enclosing branches are taken. */
  under(c: Condition): Condition {
    return this.branches.reduce((whole, branch) => either(negate(branch), whole), c);
  }

  /** Runs `f` outside any equation: whole tensors. */
  whole<T>(f: () => T): T {
    const saved = [this.inEquation, this.undefinedness, this.drawShape] as const;
    this.inEquation = false;
    this.undefinedness = null;
    this.drawShape = null;
    try {
      return f();
    } finally {
      [this.inEquation, this.undefinedness, this.drawShape] = saved;
    }
  }

  withDraws<T>(shape: readonly Axis[] | null, f: () => T): T {
    const saved = this.drawShape;
    this.drawShape = shape;
    try {
      return f();
    } finally {
      this.drawShape = saved;
    }
  }

  report<C extends keyof CheckProblems>(
    code: C,
    span: Span | null,
    data: CheckProblems[C],
    fixes: readonly Fix[] = [],
  ): void {
    this.session.report(code, span, data, fixes);
  }
}

/** A name expression made for a word that is none in the tree → that word, which is what the reference belongs to. */
export const standsFor = new WeakMap<Expr, object>();

export const nameOf = (text: string, span: Span): Name => ({ text, span });
