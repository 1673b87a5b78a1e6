/**
 * Which parameters teach: an abstract reading of the program in which a value is the set of leaves and arguments it depends on, each with how:
 * through a derivative, or only through its value (`stop_gradient`, argmax, comparisons, indices, rounding).
 *
 * Each callable is read once into a summary; a call composes it. Loops are read until nothing changes. What is not understood depends on
 * everything with a derivative, so that no alarm comes from not knowing.
 */
import type {
  Argument,
  CallExpr,
  Callable,
  Expr,
  LeafStatement,
  PipeExpr,
  Span,
  Statement,
  TrainDeclaration,
} from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';
import type { Definition } from '../check/program.ts';
import type { Context } from './context.ts';

/** True: a derivative passes. False: only the value does. */
export type Flows = ReadonlyMap<string, Passage>;

export interface Passage {
  readonly differentiable: boolean;
  /** What stopped the derivative, the first on the way. */
  readonly by: string | null;
  readonly span: Span | null;
}

const THROUGH: Passage = { differentiable: true, by: null, span: null };
const NOTHING: Flows = new Map();

/** A parameter of a network: where it is declared, and the place in the user's text that brought it. */
export interface Leaf {
  readonly key: string;
  readonly leaf: LeafStatement;
  /** Null where it is declared in the user's own text. */
  readonly site: Span | null;
}

type Value = { readonly flows: Flows; readonly instance: Instance | null };

interface Instance {
  readonly definition: Definition;
  readonly key: string;
  readonly site: Span | null;
}

interface Summary {
  readonly result: Flows;
  readonly leaves: ReadonlyMap<string, Leaf>;
}

function join(...all: readonly Flows[]): Flows {
  const out = new Map<string, Passage>();
  for (const flows of all)
    for (const [source, passage] of flows) {
      const old = out.get(source);
      if (old === undefined || (passage.differentiable && !old.differentiable)) out.set(source, passage);
    }
  return out;
}

const stopped = (flows: Flows, by: string, span: Span): Flows =>
  new Map([...flows].map(([k, p]) => [k, p.differentiable ? { differentiable: false, by, span } : p]));

/** The source that stands for the value of a marked statement. */
export const MARK = '!';

const plain = (flows: Flows): Value => ({ flows, instance: null });

/** Built-ins without a derivative. */
const STOPS = new Set([
  'stop_gradient',
  'floor',
  'ceil',
  'int',
  'bernoulli',
  'categorical',
  'randint',
  'any',
  'all',
  'size',
]);

export class FlowReader {
  readonly c: Context;
  /** Something that this reading does not follow (parameters as values): no alarm. */
  unknown = false;
  /** A statement whose value counts as a source of its own, `MARK`. */
  mark: object | null = null;
  /** Leaves of networks that are frozen on purpose. */
  readonly frozen = new Set<string>();
  private readonly summaries = new Map<Callable, Summary | 'reading'>();

  constructor(c: Context) {
    this.c = c;
  }

  summary(definition: Definition): Summary {
    const callable = definition.declaration as Callable;
    const known = this.summaries.get(callable);
    if (known === 'reading') return { result: this.parameters(callable), leaves: new Map() };
    if (known !== undefined) return known;
    this.summaries.set(callable, 'reading');
    const reader = new BodyReader(this, definition.module.library);
    for (const p of [...(callable.config ?? []), ...callable.parameters])
      reader.env.set(p.name.text, plain(new Map([[`:${p.name.text}`, THROUGH]])));
    reader.statements(callable.body.statements);
    const made: Summary = { result: join(...reader.results), leaves: reader.leaves };
    this.summaries.set(callable, made);
    return made;
  }

  private parameters(callable: Callable): Flows {
    return new Map(callable.parameters.map((p) => [`:${p.name.text}`, THROUGH]));
  }

  train(d: TrainDeclaration): { readonly loss: Flows; readonly leaves: ReadonlyMap<string, Leaf> } {
    const reader = new BodyReader(this, false);
    const losses: Flows[] = [];
    for (const s of d.statements) {
      if (s.kind === 'let' || s.kind === 'assign') reader.statements([s]);
      else if (s.kind === 'minimize') losses.push(reader.value(s.value).flows);
      else if (s.kind === 'metric') reader.value(s.value);
    }
    return { loss: join(...losses), leaves: reader.leaves };
  }
}

class BodyReader {
  readonly env = new Map<string, Value>();
  readonly leaves = new Map<string, Leaf>();
  readonly results: Flows[] = [];
  private readonly yields: Flows[] = [];
  private readonly all: FlowReader;
  private readonly library: boolean;

  constructor(all: FlowReader, library: boolean) {
    this.all = all;
    this.library = library;
  }

  statements(list: readonly Statement[]): void {
    list.forEach((s, k) => {
      this.statement(s, k === list.length - 1);
    });
  }

  private marked(s: Statement, value: Value): Value {
    if (s !== this.all.mark) return value;
    return { ...value, flows: join(value.flows, new Map([[MARK, THROUGH]])) };
  }

  private bind(name: string, value: Value, add: boolean): void {
    const old = this.env.get(name);
    this.env.set(name, add && old !== undefined ? plain(join(old.flows, value.flows)) : value);
  }

  private statement(s: Statement, last: boolean): void {
    switch (s.kind) {
      case 'let': {
        const value = this.marked(s, this.value(s.value, s.name.text));
        return this.bind(s.name.text, value, false);
      }
      case 'assign':
        return this.bind(s.name.text, this.marked(s, this.value(s.value)), s.operator !== '=');
      case 'leaf': {
        const first = this.value(s.value);
        if (s.leaf === 'param') {
          const key = `${s.span.file}:${s.span.start}`;
          this.leaves.set(key, { key, leaf: s, site: null });
          return this.bind(s.name.text, this.marked(s, plain(new Map([[key, THROUGH]]))), false);
        }
        return this.bind(s.name.text, s.leaf === 'carry' ? first : plain(NOTHING), false);
      }
      case 'require':
      case 'until':
      case 'bad':
        return;
      case 'if':
        return this.branches(s.then, s.otherwise ?? []);
      case 'return': {
        if (s.fields !== null) this.results.push(join(...s.fields.map((f) => this.value(f.value).flows)));
        else if (s.value !== null) this.results.push(this.value(s.value).flows);
        return;
      }
      case 'repeat':
        return this.untilStable(() => {
          this.statements(s.body.filter((x) => x.kind !== 'expression'));
        });
      case 'yield': {
        const flows = this.value(s.value).flows;
        if (s.name === null) this.yields.push(flows);
        else this.bind(s.name.text, plain(flows), true);
        return;
      }
      case 'expression': {
        const flows = this.value(s.value).flows;
        if (last) this.results.push(flows);
        return;
      }
    }
  }

  private branches(then: readonly Statement[], otherwise: readonly Statement[]): void {
    const before = new Map(this.env);
    this.statements(then);
    const after = new Map(this.env);
    for (const [k, v] of before) this.env.set(k, v);
    this.statements(otherwise);
    for (const [k, v] of after) this.bind(k, v, this.env.has(k) && this.env.get(k) !== v && v.instance === null);
  }

  private untilStable(run: () => void): void {
    const size = (): number =>
      [...this.env.values()].reduce(
        (n, v) => n + [...v.flows.values()].filter((p) => p.differentiable).length + v.flows.size,
        0,
      );
    for (let round = 0; round < 6; round++) {
      const before = new Map(this.env);
      const count = size();
      run();
      for (const [k, v] of before) if (v.instance === null) this.bind(k, v, true);
      if (size() === count) return;
    }
  }

  private many(list: readonly Expr[]): Flows {
    return join(...list.map((e) => this.value(e).flows));
  }

  value(e: Expr, label: string | null = null): Value {
    switch (e.kind) {
      case 'number':
      case 'boolean':
      case 'string':
      case 'bad':
        return plain(NOTHING);
      case 'name':
        return this.env.get(e.name) ?? plain(NOTHING);
      case 'unary':
        return plain(
          e.operator === 'not' ? stopped(this.value(e.operand).flows, '`not`', e.span) : this.value(e.operand).flows,
        );
      case 'binary': {
        const flows = this.many([e.left, e.right]);
        const compares = !['+', '-', '*', '/', '%', '^'].includes(e.operator);
        return plain(compares ? stopped(flows, `the comparison \`${e.operator}\``, e.operatorSpan) : flows);
      }
      case 'where':
        return plain(
          join(this.value(e.value).flows, stopped(this.value(e.condition).flows, 'a condition', e.condition.span)),
        );
      case 'else':
        return plain(this.many([e.left, e.right]));
      case 'read': {
        const places: Flows[] = [];
        for (const i of e.indices)
          if (i.kind === 'expression') places.push(stopped(this.value(i.value).flows, 'an index', i.span));
        return plain(join(this.value(e.target).flows, ...places));
      }
      case 'reduce': {
        const operand = this.value(e.operand).flows;
        const guard = e.guard === null ? NOTHING : stopped(this.value(e.guard).flows, 'a guard', e.guard.span);
        const stops = e.operator === 'argmax' || e.operator === 'any' || e.operator === 'all';
        return plain(join(stops ? stopped(operand, e.operator, e.operatorSpan) : operand, guard));
      }
      case 'member':
        return this.member(e);
      case 'list':
        return plain(this.many(e.items));
      case 'scan':
        return this.scan(e);
      case 'with':
        this.all.unknown = true;
        return plain(this.value(e.target).flows);
      case 'call':
      case 'pipe':
        return this.call(e, label);
    }
  }

  private member(e: Expr & { kind: 'member' }): Value {
    const target = this.value(e.target);
    if (target.instance === null) {
      const type = this.all.c.type(e.target);
      if (type?.kind === 'instance' || type?.kind === 'callable') this.all.unknown = true;
      return target;
    }
    if (['params', 'state', 'carry'].includes(e.name.text)) this.all.unknown = true;
    const summary = this.all.summary(target.instance.definition);
    const own = this.adopt(summary, target.instance);
    const flows = [...own]
      .filter(([, leaf]) => leaf.leaf.name.text === e.name.text)
      .map(([key]) => [key, THROUGH] as const);
    return plain(new Map(flows));
  }

  private scan(e: Expr & { kind: 'scan' }): Value {
    for (const s of e.sources) this.bind(s.variable.text, plain(this.value(s.sequence).flows), false);
    const from = this.yields.length;
    this.untilStable(() => {
      this.statements(e.body);
    });
    return plain(join(...this.yields.splice(from)));
  }

  /** The leaves of an instance, under keys of their own. */
  private adopt(summary: Summary, instance: Instance): ReadonlyMap<string, Leaf> {
    const own = new Map<string, Leaf>();
    for (const [key, leaf] of summary.leaves) {
      const made = {
        key: `${instance.key}/${key}`,
        leaf: leaf.leaf,
        site: leaf.site ?? (instance.definition.module.library ? instance.site : null),
      };
      own.set(made.key, made);
      this.leaves.set(made.key, made);
    }
    return own;
  }

  private call(e: CallExpr | PipeExpr, label: string | null): Value {
    const stage = e.kind === 'pipe' ? e.stage : e;
    let head: Expr = stage;
    const lists: (readonly Argument[])[] = [];
    while (head.kind === 'call') {
      lists.unshift(head.arguments);
      head = head.callee;
    }
    const piped = e.kind === 'pipe' ? [this.value(e.value).flows] : [];
    const everything = (): Flows => join(...piped, ...lists.flat().map((a) => this.value(a.value).flows));
    const bound =
      head.kind === 'name' ? this.env.get(head.name) : head.kind === 'member' ? undefined : this.value(head);
    const reference = head.kind === 'name' ? this.all.c.checked.references.get(head) : undefined;
    if (bound?.instance != null) return plain(this.apply(bound.instance, e, piped, lists, true));
    if (reference?.kind === 'builtin' || (head.kind === 'name' && reference === undefined && bound === undefined))
      return this.builtin(head.kind === 'name' ? head.name : '', e, lists, piped);
    if (reference?.kind !== 'definition') return plain(everything());
    const { definition } = reference;
    const d = definition.declaration;
    if (d.kind === 'const' || d.kind === 'train') return plain(NOTHING);
    if (d.kind === 'mask') return plain(stopped(everything(), 'a mask', e.span));
    if (d.kind === 'schedule' || d.kind === 'optimizer') return plain(NOTHING);
    const instance: Instance = {
      definition,
      key: d.kind === 'model' ? `model ${d.name.text}` : `${e.span.file}:${stage.span.start}`,
      site: this.library ? null : stage.span,
    };
    const hasConfig = d.config !== null;
    const applied = piped.length > 0 || !hasConfig || lists.length > 1;
    if (!applied || (d.kind === 'block' && !hasConfig && piped.length === 0 && (lists[0] ?? []).length === 0)) {
      void label;
      return { flows: NOTHING, instance };
    }
    return plain(this.apply(instance, e, piped, lists, false));
  }

  /** A call of an instance, or of something that is one. */
  private apply(
    instance: Instance,
    e: CallExpr | PipeExpr,
    piped: readonly Flows[],
    lists: readonly (readonly Argument[])[],
    configured: boolean,
  ): Flows {
    void e;
    const d = instance.definition.declaration as Callable;
    const summary = this.all.summary(instance.definition);
    const given = new Map<string, Flows>();
    const rest = [...lists];
    if (d.config !== null && !configured)
      (rest.shift() ?? []).forEach((a, k) => {
        const name = a.name?.text ?? d.config?.[k]?.name.text;
        if (name !== undefined) given.set(`:${name}`, this.value(a.value).flows);
      });
    const tensors = [
      ...piped.map((flows) => ({ name: null as string | null, flows })),
      ...(rest[0] ?? []).map((a) => ({ name: a.name?.text ?? null, flows: this.value(a.value).flows })),
    ];
    tensors.forEach((t, k) => {
      const name = t.name ?? d.parameters[k]?.name.text;
      if (name !== undefined) given.set(`:${name}`, t.flows);
    });
    // `memory = x`
    for (const p of d.parameters)
      if (!given.has(`:${p.name.text}`) && p.default?.kind === 'name')
        given.set(`:${p.name.text}`, given.get(`:${p.default.name}`) ?? NOTHING);
    const own = this.adopt(summary, instance);
    const out: Flows[] = [];
    for (const [source, passage] of summary.result) {
      if (source.startsWith(':')) {
        const flows = given.get(source) ?? NOTHING;
        out.push(
          passage.differentiable
            ? flows
            : stopped(flows, passage.by ?? `\`${d.name.text}\``, this.shown(passage.span, e)),
        );
      } else {
        const key = `${instance.key}/${source}`;
        if (own.has(key)) out.push(new Map([[key, passage]]));
      }
    }
    return join(...out);
  }

  private shown(span: Span | null, e: Expr): Span {
    return span === null || this.all.c.program.sources.get(span.file).library ? e.span : span;
  }

  private builtin(
    name: string,
    e: CallExpr | PipeExpr,
    lists: readonly (readonly Argument[])[],
    piped: readonly Flows[],
  ): Value {
    const args = lists.flat().map((a) => this.value(a.value));
    const flows = join(...piped, ...args.map((a) => a.flows));
    if (STOPS.has(name)) return plain(stopped(flows, `\`${name}\``, e.span));
    if (name === 'surrogate') {
      // The value of the first, the derivative of the second.
      const [value = NOTHING, ...gradient] = [...piped, ...args.map((a) => a.flows)];
      return plain(join(stopped(value, '`surrogate`', e.span), ...gradient));
    }
    if (name === 'recomputed') return args[0] ?? plain(flows);
    if (name === 'frozen' || name === 'eval') {
      const [first] = args;
      if (first?.instance != null)
        for (const key of this.adopt(this.all.summary(first.instance.definition), first.instance).keys())
          this.all.frozen.add(key);
      else this.all.unknown = true;
      return first ?? plain(flows);
    }
    return plain(flows);
  }
}

/** Whether a name occurs anywhere in a subtree as a value. */
export function readsName(root: object, name: string): boolean {
  let found = false;
  walk(root, (n) => {
    if (n.kind === 'name' && (n as { name?: string }).name === name) found = true;
    return !found;
  });
  return found;
}
