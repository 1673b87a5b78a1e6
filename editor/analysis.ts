/**
 * One state of one document, understood: the program around it, what the checker says, and, on demand, its names and its fixes.
 *
 * Immutable; the next keystroke makes another. Everything here is a pure function of texts, so that a server, a test and a web page share it.
 */
import type { CheckResult } from '../compiler/check/check.ts';
import type { Program, ProgramModule } from '../compiler/check/program.ts';
import type { Report } from '../compiler/diagnostics/problem.ts';
import { report } from '../compiler/diagnostics/render/index.ts';
import { diagnose } from '../compiler/lint/lint.ts';
import type { Sources } from '../compiler/source/source.ts';
import { indexNames, type Names } from './features/names.ts';
import { checked, load, Parses, type Host } from './program.ts';

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
  bodyChecks: new Map(),
});

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
};

export function analyse(path: string, text: string, host: Host, parses: Parses = new Parses()): Analysis {
  const reads = new Set<string>();
  const watched: Host = {
    read: (target) => {
      reads.add(target);
      return host.read(target);
    },
  };
  const loaded = load(path, text, watched, parses);
  const { program } = loaded;
  let failure: unknown = null;
  const guarded = (fixes: boolean): CheckResult => {
    try {
      return checked(loaded, fixes);
    } catch (error) {
      failure = error;
      return unchecked();
    }
  };
  const result = guarded(false);
  return {
    path,
    text,
    file: program.entry.ast.file,
    program,
    sources: program.sources,
    module: program.entry,
    checked: result,
    reports: [...loaded.problems, ...diagnose(program, result, { fixes: false })].map(report),
    repairs: once(() => [...loaded.problems, ...diagnose(program, guarded(true))].map(report)),
    names: once(() => indexNames(program, result)),
    reads,
    get failure() {
      return failure;
    },
  };
}
