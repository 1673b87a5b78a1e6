/**
 * One state of one document, understood: the program around it, what the checker says, and, on demand, its names and its fixes.
 *
 * The next keystroke makes another, and takes over what it can of this one (`Kept`), which is then no longer valid. Everything here is a function of texts, so that a
 * server, a test and a web page share it.
 */
import { check, type CheckResult } from '../compiler/check/check.ts';
import { Kept } from '../compiler/check/kept.ts';
import { loadProgram, type Host, type Program, type ProgramModule } from '../compiler/check/program.ts';
import type { Problem, Report } from '../compiler/diagnostics/problem.ts';
import { report } from '../compiler/diagnostics/render/index.ts';
import { library } from '../compiler/library.generated.ts';
import { repairing } from '../compiler/repair/repair.ts';
import { diagnose, diagnoseLoading } from '../compiler/lint/lint.ts';
import type { Sources } from '../compiler/source/source.ts';
import { indexNames, type Names } from './features/names.ts';
import { once } from './features/once.ts';

export interface Analysis {
  readonly path: string;
  readonly text: string;
  /** The number of the document in `sources`. */
  readonly file: number;
  readonly program: Program;
  readonly sources: Sources;
  readonly module: ProgramModule;
  readonly checked: CheckResult;
  /** Without fixes. */
  readonly reports: readonly Report[];
  /** With fixes, each of which was tried: slow, so only made when somebody looks. */
  readonly repairs: () => readonly Report[];
  /** The same in small steps, the last of which has them all, for who may be interrupted. */
  readonly refine: () => Generator<undefined, readonly Report[]>;
  /** What `refine` or `repairs` has found, or the plain reports. */
  readonly refined: () => readonly Report[];
  /** What every name in the program's own text means. */
  readonly names: () => Names;
  /** Paths of all files that it reads. */
  readonly reads: ReadonlySet<string>;
  /** A failure of the checker itself; everything else then knows only the text. */
  readonly failure: unknown;
}

const unchecked = (): CheckResult => ({
  problems: [],
  types: new Map(),
  signatures: new Map(),
  scanAxes: new Map(),
  references: new Map(),
  lets: new Map(),
  trains: new Map(),
  consts: new Map(),
  constants: new Map(),
  written: new Map(),
  bodyChecks: new Map(),
});

export function analyse(path: string, text: string, host: Host, kept: Kept | null = null): Analysis {
  const reads = new Set<string>();
  const watched: Host = {
    read: (target) => {
      reads.add(target);
      return host.read(target);
    },
  };
  const loaded = loadProgram(path, text, watched, library, {}, kept);
  const { program } = loaded;
  let failure: unknown = null;
  const guarded = <T>(work: () => T, otherwise: () => T): T => {
    try {
      return work();
    } catch (error) {
      failure = error;
      return otherwise();
    }
  };
  const result = guarded(() => check(program, { fixes: false }), unchecked);
  const found = (known: CheckResult, fixes: boolean): Problem[] => [
    ...(fixes ? diagnoseLoading(program, loaded.problems) : loaded.problems),
    ...diagnose(program, known, { fixes, loading: loaded.problems }),
  ];
  const plain = guarded(
    () => found(result, false).map(report),
    () => loaded.problems.map(report),
  );
  let refined: readonly Report[] | null = null;
  function* refine(): Generator<undefined, readonly Report[]> {
    if (refined !== null) return refined;
    const known = check(program);
    yield;
    const made = (yield* repairing(program, known, found(known, true), 'typing')).map(report);
    refined = made;
    return made;
  }
  return {
    path,
    text,
    file: program.entry.ast.file,
    program,
    sources: program.sources,
    module: program.entry,
    checked: result,
    reports: plain,
    repairs: once(() =>
      guarded(
        () => {
          const steps = refine();
          for (;;) {
            const step = steps.next();
            if (step.done === true) return step.value;
          }
        },
        () => loaded.problems.map(report),
      ),
    ),
    refine,
    refined: () => refined ?? plain,
    names: once(() => indexNames(program, result)),
    reads,
    get failure() {
      return failure;
    },
  };
}
