/**
 * Which parts of a check may be repeated instead of done again.
 *
 * A unit is the check of one declaration. While it runs, everything that it writes into the session's tables is logged, and everything that
 * it asks of its surroundings is noted: what a name means, what a callee's signature turned out to be, which names could have been meant.
 * In a later check of the same declaration (the same tree) the questions are asked again, in the same order; if every answer is the
 * same, the log is written into the new session and that is all. So a keystroke in a body re-checks that body, and those that depend on it only
 * if its signature came out otherwise. (The idea is that of build systems and of Salsa: verify the trace, stop early.)
 *
 * What cannot be repeated is simply done: units in a circle of calls, and those that take part in fixing the sizes of a shared instance.
 * Answers are compared by a hash of their content, in which places count relative to their piece of text, with that text.
 */
import type { Callable, Declaration } from '../../grammar/ast.ts';
import type { Fix, Problem } from '../diagnostics/problem.ts';
import { contentHash } from './content.ts';
import type { Definition, Program, ProgramModule } from './program.ts';
import { lookup } from './program.ts';
import type { Session } from './session.ts';
import { isPassing, type Tables, type Write } from './tables.ts';

type Question =
  | { readonly kind: 'name'; readonly module: string; readonly name: string; readonly own: boolean }
  | { readonly kind: 'names'; readonly module: string }
  | { readonly kind: 'outcome'; readonly definition: Definition };

interface Asked {
  readonly question: Question;
  readonly answer: string;
  /** What a name meant: trees and types hold this very object. */
  readonly found: Definition | null;
}

interface Known {
  readonly asked: readonly Asked[];
  readonly writes: readonly Write[];
  /** Those that belong to the session and not to the trees. */
  readonly passing: readonly Write[];
  readonly problems: readonly { readonly problem: Problem; readonly fixes: readonly Fix[] }[];
  readonly outcome: string;
}

export class Unit {
  readonly declaration: Declaration | null;
  readonly module: ProgramModule | null;
  readonly writes: Write[] = [];
  /** Also those that another unit reported before. */
  readonly problems: { readonly problem: Problem; readonly fixes: readonly Fix[] }[] = [];
  readonly questions: Question[] = [];
  private readonly seen = new Set<string>();
  repeatable = true;
  /** Its mute listeners: a callee that happens to be checked meanwhile is heard. */
  readonly mutes: Problem[][] = [];
  /** Problems reported, muted ones not counted. */
  reported = 0;
  private counter = 0;
  private readonly mark: string;

  constructor(declaration: Declaration | null, module: ProgramModule | null) {
    this.declaration = declaration;
    this.module = module;
    this.mark =
      declaration !== null && 'name' in declaration ? `@${short(`${module?.path} ${declaration.name.text}`)}` : '';
  }

  /** Unique in the program, and the same in every check of the same text. */
  fresh(): string {
    return `${++this.counter}${this.mark}`;
  }

  ask(question: Question): void {
    const key =
      question.kind === 'outcome'
        ? `outcome ${question.definition.module.path} ${question.definition.declaration.name.text}`
        : question.kind === 'name'
          ? `name ${question.own} ${question.module} ${question.name}`
          : `names ${question.module}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.questions.push(question);
  }
}

const memory = new WeakMap<Declaration, Known>();

export class Units {
  private readonly session: Session;
  private readonly program: Program;
  private readonly stack: Unit[] = [new Unit(null, null)];
  private readonly modules: ReadonlyMap<string, ProgramModule>;
  private readonly open = new Map<Declaration, Unit>();
  private readonly verifying = new Set<Declaration>();
  /** Found to stand in a circle while it was verified. */
  private readonly circular = new Set<Declaration>();
  private readonly outcomes = new Map<Declaration, string>();
  /** Checked, or found unchanged, in this session: only their entries in the tables count. */
  private readonly fresh = new Set<Declaration>();
  private readonly tables: Tables;

  constructor(session: Session, tables: Tables) {
    this.session = session;
    this.program = session.program;
    this.tables = tables;
    tables.log = (write) => this.current.writes.push(write);
    this.modules = new Map(session.program.modules.map((m) => [m.path, m]));
  }

  get current(): Unit {
    return this.stack.at(-1)!;
  }

  /** Whether the tables say of a declaration what is true now. */
  isFresh(declaration: Declaration): boolean {
    return this.fresh.has(declaration);
  }

  /** Takes out what declarations left that are no more. */
  sweep(): void {
    for (const declaration of this.tables.written.keys())
      if (!this.fresh.has(declaration)) this.tables.remove(declaration);
  }

  // ------------------------------------------------------------------------------------------------------------ questions

  lookup(module: ProgramModule, name: string, own = false): Definition | null {
    this.current.ask({ kind: 'name', module: module.path, name, own });
    return own ? (module.names.get(name) ?? null) : lookup(this.program, module, name);
  }

  /** All top-level names that text in a module can mention. */
  names(module: ProgramModule): string[] {
    this.current.ask({ kind: 'names', module: module.path });
    return [...module.names.keys(), ...this.program.library.keys()];
  }

  /** Notes that the current unit builds on another's outcome. A unit that is not finished is in a circle with it. */
  needs(definition: Definition): void {
    const { declaration } = definition;
    if (this.current.declaration === declaration) return;
    this.current.ask({ kind: 'outcome', definition });
    const at = this.stack.findIndex((u) => u.declaration === declaration);
    if (at >= 0) for (const unit of this.stack.slice(at)) unit.repeatable = false;
  }

  /** The current unit has done what cannot be repeated by itself. */
  unrepeatable(): void {
    this.current.repeatable = false;
  }

  // ---------------------------------------------------------------------------------------------------------------- units

  /** The whole check of a declaration at once: repeated or done. */
  run(declaration: Declaration, module: ProgramModule, work: () => void): void {
    if (this.repeat(declaration)) return;
    this.start(declaration, module, work);
    this.finish(declaration);
  }

  /** Begins a unit, to be continued and finished later. */
  start(declaration: Declaration, module: ProgramModule, work: () => void): void {
    const unit = new Unit(declaration, module);
    this.open.set(declaration, unit);
    this.tables.remove(declaration);
    this.tables.written.set(declaration, unit.writes);
    this.fresh.add(declaration);
    this.resume(declaration, work);
  }

  resume(declaration: Declaration, work: () => void): void {
    this.stack.push(this.open.get(declaration)!);
    try {
      work();
    } finally {
      this.stack.pop();
    }
  }

  isVerifying(declaration: Declaration): boolean {
    return this.verifying.has(declaration);
  }

  /** A callee turned out to call what is being verified: that has to be checked in the ordinary way. */
  foundCircular(declaration: Declaration): void {
    this.circular.add(declaration);
    this.open.get(declaration)!.repeatable = false;
    this.current.repeatable = false;
  }

  /** As `foundCircular`, where there is nothing to show meanwhile. */
  giveUp(declaration: Declaration): void {
    this.circular.add(declaration);
  }

  isCircular(declaration: Declaration): boolean {
    return this.circular.has(declaration);
  }

  finish(declaration: Declaration): void {
    const unit = this.open.get(declaration)!;
    if (this.program.kept === null && unit.module?.library !== true) return;
    if (!unit.repeatable) return;
    const asked: Asked[] = [];
    for (const question of unit.questions) {
      if (this.program.kept !== null && question.kind === 'outcome' && !this.isRunning(question.definition.declaration))
        this.settleApart(question.definition);
      const answer = this.answer(question);
      if (answer === null) return;
      asked.push({ question, answer, found: question.kind === 'name' ? this.found(question) : null });
    }
    memory.set(declaration, {
      asked,
      writes: unit.writes,
      passing: unit.writes.filter(([table]) => isPassing(table)),
      problems: unit.problems,
      outcome: this.outcome(declaration),
    });
  }

  private isRunning(declaration: Declaration): boolean {
    return this.verifying.has(declaration) || this.stack.some((u) => u.declaration === declaration);
  }

  private settleApart(definition: Definition): void {
    this.stack.push(new Unit(null, null));
    try {
      this.session.settle(definition);
    } finally {
      this.stack.pop();
    }
  }

  /** Writes what is known of a declaration into the session, if that is still so. */
  repeat(declaration: Declaration): boolean {
    const known = memory.get(declaration);
    if (known === undefined) return false;
    this.verifying.add(declaration);
    // What is asked and said meanwhile is no affair of who waits for it.
    this.stack.push(new Unit(declaration, null));
    try {
      for (const { question, answer, found } of known.asked) {
        if (question.kind === 'outcome') this.session.settle(question.definition);
        if (this.circular.has(declaration) || this.answer(question) !== answer) return false;
        if (question.kind === 'name' && this.found(question) !== found) return false;
      }
    } finally {
      this.stack.pop();
      this.verifying.delete(declaration);
    }
    if (this.tables.written.get(declaration) === known.writes) this.tables.repeat(known.passing);
    else {
      this.tables.remove(declaration);
      this.tables.repeat(known.writes);
      this.tables.written.set(declaration, known.writes);
    }
    this.fresh.add(declaration);
    for (const { problem, fixes } of known.problems) this.session.deliver(problem, fixes);
    this.outcomes.set(declaration, known.outcome);
    return true;
  }

  // -------------------------------------------------------------------------------------------------------------- answers

  /** Null while it cannot be known. */
  private answer(question: Question): string | null {
    switch (question.kind) {
      case 'name': {
        const found = this.found(question);
        return found === null ? 'nothing' : this.head(found);
      }
      case 'names': {
        const module = this.modules.get(question.module);
        return module === undefined ? 'no module' : this.hash([...module.names.keys(), this.program.library.size]);
      }
      case 'outcome':
        return this.session.isSettled(question.definition) ? this.outcome(question.definition.declaration) : null;
    }
  }

  private found({ module: path, name, own }: Extract<Question, { kind: 'name' }>): Definition | null {
    const module = this.modules.get(path);
    if (module === undefined) return null;
    return own ? (module.names.get(name) ?? null) : lookup(this.program, module, name);
  }

  /** What a name shows of its declaration before anything is checked. */
  private head({ declaration, module }: Definition): string {
    const { name, kind } = declaration;
    const text =
      'body' in declaration
        ? this.program.sources
            .text(declaration.span)
            .slice(0, Math.max(0, declaration.body.span.start - declaration.span.start))
        : '';
    const damaged = 'damaged' in declaration && declaration.damaged;
    return this.hash([
      module.path,
      kind,
      name.text,
      name.span,
      declaration.span.start - name.span.start,
      damaged,
      text,
    ]);
  }

  private outcome(declaration: Declaration): string {
    const known = this.outcomes.get(declaration);
    if (known !== undefined) return known;
    const made = this.hash([
      this.session.signatures.get(declaration as Callable) ?? null,
      this.session.consts.get(declaration) ?? null,
    ]);
    this.outcomes.set(declaration, made);
    return made;
  }

  private hash(content: unknown): string {
    return contentHash(content, this.program.sources);
  }
}

function short(text: string): string {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0;
  return (h >>> 0).toString(36);
}
