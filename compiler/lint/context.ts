/**
 * What lints read: the checked program, indexed once, and the questions that several of them ask of it.
 *
 * `nodes` lists the parts of every body of the program's own files (and of the library, where asked); `application` gives every form of a call
 * one shape. Nothing here decides whether something is wrong.
 */
import type {
  Argument,
  AssignStatement,
  BinaryExpr,
  CallExpr,
  Callable,
  Expr,
  IndexGroup,
  IndexName,
  LeafStatement,
  LetStatement,
  PipeExpr,
  ReadExpr,
  ReduceExpr,
  Span,
  TrainDeclaration,
  YieldStatement,
} from '../../grammar/ast.ts';
import { walk, type AnyNode } from '../../grammar/walk.ts';
import type { CheckResult, Type } from '../check/check.ts';
import { Knowledge } from '../check/knowledge.ts';
import type { Definition, Program, ProgramModule } from '../check/program.ts';
import { lookup } from '../check/program.ts';
import type { LocalBinding, Letter } from '../check/scope.ts';
import type { Axis } from '../check/types.ts';
import type { LintProblems } from '../diagnostics/families/lint.ts';
import type { Fix, Problem, ProblemData } from '../diagnostics/problem.ts';
import { problem } from '../diagnostics/problem.ts';
import { proseOf } from '../diagnostics/render/index.ts';
import { LintMemory } from './memory.ts';
import { asConst, substitute, type Poly } from '../sizes/poly.ts';

/** An index equation: `let y[…] = …`, `y[…] = …` or `yield y[…] = …`. */
export type Equation = (LetStatement | AssignStatement | YieldStatement) & { readonly indices: readonly object[] };

/** One body: a callable's or a train block's, with its parts in the order of the text. */
export interface Body {
  readonly module: ProgramModule;
  readonly owner: Callable | TrainDeclaration;
  readonly lets: readonly LetStatement[];
  readonly assigns: readonly AssignStatement[];
  readonly leaves: readonly LeafStatement[];
  readonly equations: readonly Equation[];
  readonly reduces: readonly ReduceExpr[];
  readonly reads: readonly ReadExpr[];
  readonly binaries: readonly BinaryExpr[];
  readonly groups: readonly IndexGroup[];
  readonly applications: readonly Application[];
  /** `Adam(lr: 1e-3)`, `let e = Embedding(9, 8)`: a configuration without tensors. */
  readonly configured: readonly Application[];
  /** Any damage: lints that count uses stay quiet. */
  readonly damaged: boolean;
}

/** `f(x)`, `x |> f`, `Block(8)(x)`, `x |> Block(8)`, `e(x)`: what is applied to what. */
export interface Application {
  readonly node: CallExpr | PipeExpr;
  /** Null for a built-in. */
  readonly definition: Definition | null;
  readonly name: string;
  /** By the parameter's name. */
  readonly config: ReadonlyMap<string, Expr>;
  readonly tensors: ReadonlyMap<string, Expr>;
  /** The tensors in the order of the parameters; for a built-in all arguments in the order of the text. */
  readonly inputs: readonly Expr[];
  /** `Linear(64)`, without the value that is piped in. */
  readonly stage: Span;
  /** False where only a configuration is given. */
  readonly applied: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

export class Context {
  readonly program: Program;
  readonly checked: CheckResult;
  /** Those to look at: all, except what is remembered. */
  readonly bodies: readonly Body[];
  readonly problems: Problem[] = [];
  /** Candidates; each is tried before it is offered. */
  readonly candidates = new Map<Problem, readonly Fix[]>();
  private readonly memory: LintMemory;
  private readonly indexed = new Map<object, Body>();
  private readonly parents = new Map<object, object>();
  private readonly applied = new Map<object, Application>();
  private readonly seen = new Set<string>();

  constructor(program: Program, checked: CheckResult, library: boolean) {
    this.program = program;
    this.checked = checked;
    const bodies: Body[] = [];
    this.memory = new LintMemory(program, checked);
    for (const module of program.modules)
      for (const d of module.library && !library ? [] : module.ast.declarations) {
        if (d.kind === 'import' || d.kind === 'bad' || d.kind === 'const' || d.kind === 'checkpoint') continue;
        if (d.kind === 'storage') continue;
        const known = this.memory.recall(d);
        if (known === null) bodies.push(this.body(d)!);
        else for (const { problem: p, fixes } of known) this.deliver(p, fixes);
      }
    this.bodies = bodies;
  }

  /** Any body of the program, the library's too. */
  body(owner: Callable | TrainDeclaration): Body | null {
    const known = this.indexed.get(owner);
    if (known !== undefined) return known;
    const module = this.program.modules.find((m) => m.file === owner.span.file);
    if (module === undefined) return null;
    const made = this.index(module, owner);
    this.indexed.set(owner, made);
    return made;
  }

  private index(module: ProgramModule, owner: Callable | TrainDeclaration): Body {
    const body: Mutable<Body> = {
      module,
      owner,
      lets: [],
      assigns: [],
      leaves: [],
      equations: [],
      reduces: [],
      reads: [],
      binaries: [],
      groups: [],
      applications: [],
      configured: [],
      damaged: owner.kind !== 'train' && owner.damaged,
    };
    walk(owner, (node, parent) => {
      if (parent !== null) this.parents.set(node, parent);
      switch (node.kind) {
        case 'let':
          body.lets.push(node as LetStatement);
          break;
        case 'assign':
          body.assigns.push(node as AssignStatement);
          break;
        case 'leaf':
          body.leaves.push(node as LeafStatement);
          break;
        case 'reduce':
          body.reduces.push(node as ReduceExpr);
          break;
        case 'read':
          body.reads.push(node as ReadExpr);
          break;
        case 'binary':
          body.binaries.push(node as BinaryExpr);
          break;
        case 'group':
          body.groups.push(node as IndexGroup);
          break;
        case 'call':
        case 'pipe': {
          const a = this.application(node as CallExpr | PipeExpr);
          // `Linear(8)` inside `x |> Linear(8)` is no call of its own.
          const inner = parent?.kind === 'pipe' && (parent as PipeExpr).stage === (node as object);
          const callee = parent?.kind === 'call' && (parent as CallExpr).callee === (node as object);
          if (a !== null && !inner && !callee) (a.applied ? body.applications : body.configured).push(a);
          break;
        }
        case 'bad':
          body.damaged = true;
          break;
        default:
      }
      const equation = node as Partial<Equation>;
      if ((node.kind === 'let' || node.kind === 'assign' || node.kind === 'yield') && equation.indices != null)
        body.equations.push(node as unknown as Equation);
      return undefined;
    });
    return body;
  }

  parent(node: object): AnyNode | null {
    return this.parents.get(node) ?? null;
  }

  /** The nearest enclosing node of a kind, or null. */
  enclosing(node: object, kind: string): AnyNode | null {
    for (let p = this.parent(node); p !== null; p = this.parent(p)) if (p.kind === kind) return p;
    return null;
  }

  text(span: Span): string {
    return this.program.sources.text(span);
  }

  type(e: Expr): Type | null {
    return this.checked.types.get(e) ?? null;
  }

  binding(node: object): LocalBinding | null {
    const found = this.checked.references.get(node);
    return found?.kind === 'local' ? found.binding : null;
  }

  letter(i: IndexName | Expr): Letter | null {
    const found = this.binding(i);
    return found?.kind === 'letter' ? found : null;
  }

  /** The number that a size is, by literals and consts; null for one that varies. */
  constant(p: Poly | null): number | null {
    return p === null ? null : asConst(substitute(p, this.checked.constants));
  }

  axisConstant(a: Axis | undefined | null): number | null {
    return a?.kind === 'size' ? this.constant(a.size) : null;
  }

  /** The value of a number known in the text: literals, consts, their arithmetic. */
  number(e: Expr): number | null {
    if (e.kind === 'number') return e.value;
    if (e.kind === 'unary' && e.operator === '-') {
      const x = this.number(e.operand);
      return x === null ? null : -x;
    }
    if (e.kind === 'binary') {
      const [x, y] = [this.number(e.left), this.number(e.right)];
      if (x === null || y === null) return null;
      switch (e.operator) {
        case '+':
          return x + y;
        case '-':
          return x - y;
        case '*':
          return x * y;
        case '/':
          return y === 0 ? null : x / y;
        case '^':
          return x ** y;
        default:
          return null;
      }
    }
    const t = this.type(e);
    if (t?.kind !== 'number') return null;
    return t.literal ?? this.constant(t.value);
  }

  /** What holds in a callable's body: its constants and what it requires. */
  knowledge(owner: Callable | TrainDeclaration): Knowledge {
    const know = new Knowledge(this.checked.constants);
    const requirements =
      owner.kind === 'train'
        ? this.checked.trains.get(owner)?.requirements
        : this.checked.signatures.get(owner)?.requirements;
    for (const r of requirements ?? []) know.assume(r.condition);
    return know;
  }

  /** What a name at the head of a call means. */
  private calleeOf(e: Expr, module: ProgramModule): Definition | string | null {
    if (e.kind !== 'name') return null;
    const reference = this.checked.references.get(e);
    if (reference === undefined) return lookup(this.program, module, e.name);
    if (reference.kind === 'builtin') return reference.name;
    if (reference.kind === 'definition') return reference.definition;
    const { binding } = reference;
    return binding.kind === 'value' && binding.type.kind === 'instance' ? binding.type.instance.definition : null;
  }

  application(node: CallExpr | PipeExpr): Application | null {
    const known = this.applied.get(node);
    if (known !== undefined) return known;
    const made = this.makeApplication(node);
    if (made !== null) this.applied.set(node, made);
    return made;
  }

  private makeApplication(node: CallExpr | PipeExpr): Application | null {
    const stage = node.kind === 'pipe' ? node.stage : node;
    const piped = node.kind === 'pipe' ? [node.value] : [];
    const module = this.program.modules.find((m) => m.file === node.span.file);
    if (module === undefined) return null;
    let head: Expr = stage;
    const lists: (readonly Argument[])[] = [];
    while (head.kind === 'call') {
      lists.unshift(head.arguments);
      head = head.callee;
    }
    const target = this.calleeOf(head, module);
    if (target === null) return null;
    if (typeof target === 'string') {
      const inputs = [...piped, ...(lists[0] ?? []).map((a) => a.value)];
      return {
        node,
        definition: null,
        name: target,
        config: new Map(),
        tensors: new Map(),
        inputs,
        stage: stage.span,
        applied: true,
      };
    }
    const { declaration } = target;
    if (declaration.kind === 'const' || declaration.kind === 'train') return null;
    const isInstance = this.checked.references.get(head)?.kind === 'local';
    // A declared configuration comes first, where it is not a bare name in a pipe or a call of an instance.
    const hasConfig = declaration.config !== null && !isInstance;
    const config = hasConfig ? (lists.shift() ?? []) : [];
    const tensors: (Argument | Expr)[] = [...piped, ...(lists[0] ?? [])];
    const byName = (
      given: readonly (Argument | Expr)[],
      parameters: readonly { readonly name: { readonly text: string } }[],
    ): Map<string, Expr> => {
      const out = new Map<string, Expr>();
      given.forEach((g, k) => {
        const isArgument = !('kind' in g);
        const name = isArgument ? (g.name?.text ?? parameters[k]?.name.text) : parameters[k]?.name.text;
        if (name !== undefined) out.set(name, isArgument ? g.value : g);
      });
      return out;
    };
    const given = byName(tensors, declaration.parameters);
    return {
      node,
      definition: target,
      name: declaration.name.text,
      config: byName(config, declaration.config ?? []),
      tensors: given,
      inputs: declaration.parameters.flatMap((p) => given.get(p.name.text) ?? []),
      stage: stage.span,
      applied: !hasConfig || tensors.length > 0,
    };
  }

  /** Whether an application is of a callable of the standard library with one of these names. */
  isLibrary(a: Application | null, names: ReadonlySet<string>): a is Application & { readonly definition: Definition } {
    return a?.definition != null && a.definition.module.library && names.has(a.name);
  }

  /** Something is wrong that is no matter of levels. */
  get hasErrors(): boolean {
    return this.checked.problems.some((p) => proseOf(p.code).severity === 'error');
  }

  /** The configurations of a body that are applied to nothing yet. */
  configured(owner: object): readonly Application[] {
    return this.indexed.get(owner)?.configured ?? [];
  }

  report<C extends keyof LintProblems>(code: C, span: Span, data: LintProblems[C], fixes: readonly Fix[] = []): void {
    this.deliver(problem(code, span, data as unknown as ProblemData[C]), fixes);
  }

  private deliver(made: Problem, fixes: readonly Fix[]): void {
    const { code } = made;
    const span = made.span!;
    const key = `${code}@${span.file}:${span.start}:${span.end}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.problems.push(made);
    if (fixes.length > 0) this.candidates.set(made, fixes);
  }

  /** Remembers what was said of the bodies that were looked at. `repeatable`: by lints that read no more than a body and what it calls. */
  remember(repeatable: readonly Problem[]): void {
    this.memory.remember(this.bodies, repeatable, this.candidates);
  }
}

/** Factors of a product: `a * b / c` has a and b above, c below. */
export function factors(e: Expr): { readonly above: readonly Expr[]; readonly below: readonly Expr[] } {
  if (e.kind === 'binary' && (e.operator === '*' || e.operator === '/')) {
    const left = factors(e.left);
    const right = factors(e.right);
    return e.operator === '*'
      ? { above: [...left.above, ...right.above], below: [...left.below, ...right.below] }
      : { above: [...left.above, ...right.below], below: [...left.below, ...right.above] };
  }
  if (e.kind === 'unary' && e.operator === '-') return factors(e.operand);
  return { above: [e], below: [] };
}
