/**
 * The checker: a program's meaning in sizes, names and roles.
 *
 * Every callable is checked once, generically, against its signature; calls match shapes and discharge requirements. The result is types for
 * every expression, signatures with lifted requirements, and problems as data. Never throws on any program; what one mistake causes is
 * reported once. Fixes are offered only where applying them removes the problem and adds none (`fixes.ts`).
 */
import type { Callable, Declaration, Expr, ScanExpr, TrainDeclaration } from '../../grammar/ast.ts';
import type { Problem } from '../diagnostics/problem.ts';
import { checkCheckpoint } from './checkpoints.ts';
import { checkStorage } from './storage.ts';
import type { Poly } from '../sizes/poly.ts';
import { proseOf } from '../diagnostics/render/index.ts';
import { constType } from './constants.ts';
import { verifiedFixes } from './fixes.ts';
import type { Definition, Program } from './program.ts';
import { Session } from './session.ts';
import type { Reference, Signature } from './session.ts';
import { ensureBody, signatureOf } from './signature.ts';
import { checkTrain } from './train.ts';
import type { TrainInfo } from './train.ts';
import type { Type } from './types.ts';

export type { Reference, Requirement, Signature, ParameterInfo } from './session.ts';
export type { TrainInfo } from './train.ts';
export type * from './types.ts';

export interface CheckResult {
  /** In the order of the text, entry module last as loaded; parse problems are not among them. */
  readonly problems: readonly Problem[];
  readonly types: ReadonlyMap<Expr, Type>;
  /** The signatures of all callables of the program's own modules, and of what they use of the library; with lifted requirements. */
  readonly signatures: ReadonlyMap<Callable, Signature>;
  /** For each source of a scan: the scanned axis, counted from the end of the generic shape (0 is the last), so that runs do not matter. */
  readonly scanAxes: ReadonlyMap<ScanExpr, readonly number[]>;
  /** What each name in the text means; keys are name expressions, index names and declared names. */
  readonly references: ReadonlyMap<object, Reference>;
  /** The type each `let` and leaf statement binds. */
  readonly lets: ReadonlyMap<object, Type>;
  readonly trains: ReadonlyMap<TrainDeclaration, TrainInfo>;
  readonly consts: ReadonlyMap<object, Type>;
  /** The internal name of a literal constant → its value. */
  readonly constants: ReadonlyMap<string, Poly>;
  /** What was written of each declaration: the same object for as long as its check is repeated and not done again. */
  readonly written: ReadonlyMap<Declaration, object>;
  /** How often each body was checked: always once. */
  readonly bodyChecks: ReadonlyMap<Callable, number>;
}

export interface CheckOptions {
  /** False leaves candidates of fixes out instead of re-checking them. */
  readonly fixes?: boolean;
  /** True checks every body of the library; otherwise only those that the program uses. */
  readonly library?: boolean;
}

export function check(program: Program, options: CheckOptions = {}): CheckResult {
  const session = new Session(program, settle);
  const checkpoints: (() => void)[] = [];
  for (const module of program.modules) {
    if (module.library && module !== program.entry && options.library !== true) continue;
    for (const d of module.ast.declarations) {
      const definition = { declaration: d as Callable, module };
      switch (d.kind) {
        case 'import':
        case 'bad':
          break;
        case 'const': {
          const own = module.names.get(d.name.text);
          constType(session, own?.declaration === d ? own : { declaration: d, module });
          break;
        }
        case 'train':
          session.units.run(d, module, () => session.trains.set(d, checkTrain(session, module, d)));
          break;
        case 'checkpoint':
          checkpoints.push(() => session.units.run(d, module, () => checkCheckpoint(session, module, d)));
          break;
        case 'storage':
          checkpoints.push(() => session.units.run(d, module, () => checkStorage(session, module, d)));
          break;
        default: {
          const own = module.names.get(d.name.text);
          ensureBody(session, signatureOf(session, own?.declaration === d ? own : definition));
        }
      }
    }
  }
  const broken = session.problems.length;
  for (const run of checkpoints) run();
  session.units.sweep();
  // A model with an error has not all its parameters: what a checkpoint says of them is no news then.
  const said = session.problems.filter(
    (p, k) =>
      k < broken ||
      p.code !== 'NN720' ||
      !session.problems.slice(0, broken).some((e) => proseOf(e.code).severity === 'error'),
  );
  const consts = new Map<object, Type>();
  for (const [d, type] of session.consts) if (type !== 'checking') consts.set(d, type);
  return {
    problems: ordered(options.fixes === false ? said : withFixes(program, session, said)),
    types: session.types,
    signatures: session.signatures,
    scanAxes: session.scanAxes,
    references: session.references,
    lets: session.lets,
    trains: session.trains,
    consts,
    constants: session.constValues,
    written: session.written,
    bodyChecks: session.bodyChecks,
  };
}

function settle(session: Session, definition: Definition): void {
  const { kind } = definition.declaration;
  if (kind === 'const') constType(session, definition);
  else if (kind !== 'train') ensureBody(session, signatureOf(session, definition));
}

function ordered(problems: readonly Problem[]): Problem[] {
  const key = (p: Problem): [number, number] => [p.span?.file ?? -1, p.span?.start ?? -1];
  return [...problems].sort((a, b) => key(a)[0] - key(b)[0] || key(a)[1] - key(b)[1]);
}

function withFixes(program: Program, session: Session, problems: readonly Problem[]): Problem[] {
  const recheck = (again: Program): readonly Problem[] => check(again, { fixes: false }).problems;
  return problems.map((p) => {
    const fixes = verifiedFixes(program, p, problems, session.candidates.get(p) ?? [], recheck);
    return fixes.length === 0 ? p : { ...p, fixes };
  });
}
