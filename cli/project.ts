/** A program on disk: its text, its imports, its reports, and the block that a command is about. */
import { readFileSync } from 'node:fs';
import type { Callable, TrainDeclaration } from '../grammar/ast.ts';
import type { CheckResult } from '../compiler/check/check.ts';
import type { Program } from '../compiler/check/program.ts';
import { problem, type Report } from '../compiler/diagnostics/problem.ts';
import {
  checkSource,
  compile,
  renderTerminal,
  type Artifact,
  type Host,
  type Sources,
  type GpuLimits,
  type Target,
} from '../compiler/index.ts';
import { located, readText } from './files.ts';
import { wantedByTrain } from './inputs.ts';
import { lookOf, type Io, type LookOptions } from './io.ts';
import { refuse, refuseProblems, Refusal } from './problems.ts';
import { NO_TUNING, readTuning, tuningPath, unusedOf, type Read } from './tune/file.ts';

/** `--const width=128`: values in place of the source's. */
export type Consts = Readonly<Record<string, number>>;

export interface Project {
  /** As the user named it. */
  readonly path: string;
  readonly text: string;
  readonly host: Host;
  /** What was measured of it on this machine. */
  readonly tuning: () => Read;
}

export function openProject(io: Io, path: string): Project {
  // Paths on Windows come with backslashes; in programs and messages they are plain slashes.
  const shown = path.replaceAll('\\', '/');
  const host: Host = {
    read: (wanted) => {
      try {
        return readFileSync(located(io, wanted), 'utf8');
      } catch {
        return null;
      }
    },
  };
  return { path: shown, text: readText(io, path), host, tuning: () => readTuning(io, shown) };
}

export function showReports(
  io: Io,
  reports: readonly Report[],
  sources: Sources,
  options: LookOptions,
  stream = io.stderr,
): void {
  if (reports.length > 0) stream.write(`${renderTerminal(reports, sources, lookOf(stream, io, options))}\n`);
}

export const hasErrors = (reports: readonly Report[]): boolean => reports.some(({ severity }) => severity === 'error');

export interface Checked {
  readonly program: Program;
  readonly checked: CheckResult;
}

/** Parses and checks; errors end the command. Warnings are left to `compiled`, which meets them again. */
export function checkedProgram({ path, text, host }: Project, consts: Consts = {}): Checked {
  const { program, checked, reports } = checkSource(text, { path, host, consts });
  if (hasErrors(reports)) throw new Refusal(reports, program.sources);
  const known = program.entry.ast.declarations.flatMap((d) => (d.kind === 'const' ? [d.name.text] : []));
  const strange = Object.keys(consts).find((name) => !known.includes(name));
  if (strange !== undefined) refuse('NN933', { what: 'const', name: strange, path, known });
  return { program, checked };
}

/** `batch B = 64` of the file's train blocks: it bounds B in a model built alone, too. */
export function batchBounds(program: Program): Record<string, number> {
  const bounds: Record<string, number> = {};
  for (const d of program.entry.ast.declarations) {
    const batch = d.kind === 'train' ? wantedByTrain(program, d).batch : null;
    if (batch !== null && batch.value !== null) bounds[batch.size] = Math.max(batch.value, bounds[batch.size] ?? 0);
  }
  return bounds;
}

export interface CompileWishes {
  readonly only?: string;
  readonly bounds?: Readonly<Record<string, number>>;
  /** Sizes that the user set a bound for, and which should therefore exist. */
  readonly demanded?: readonly string[];
  readonly consts?: Consts;
  readonly expose?: readonly string[];
  readonly targets?: readonly Target[];
  readonly memory?: number | 'least';
  /** Rules for storing parameters in fewer bytes. */
  readonly weights?: readonly string[];
  readonly gpu?: Partial<GpuLimits>;
  /** Half the bytes of WebAssembly, for modules that are shipped. */
  readonly packed?: boolean;
  /** With measured schedules, where there are any; else only for targets that have them. */
  readonly tuned?: boolean;
  /** For a size that neither the source nor `bounds` limits; without it such a size is an error. */
  readonly otherwise?: number;
}

export interface Compiled {
  readonly artifacts: ReadonlyMap<string, Artifact>;
  /** Warnings and notes. */
  readonly reports: readonly Report[];
  readonly sources: Sources;
}

/** Compiles; errors end the command. */
export function compiled({ path, text, host, tuning }: Project, wishes: CompileWishes): Compiled {
  const { otherwise, demanded: _, tuned, ...given } = wishes;
  const wanted = tuned ?? given.targets?.some((t) => t === 'wasm' || t === 'auto') === true;
  const measured = wanted ? tuning() : NO_TUNING;
  const options = measured.tuning === null ? given : { ...given, tuning: measured.tuning };
  let bounds = options.bounds ?? {};
  for (;;) {
    const result = compile(text, { ...options, bounds, path, host });
    if (result.ok) {
      const known = [
        ...new Set([...result.artifacts.values()].flatMap(({ plan }) => plan.sizes.map(({ name }) => name))),
      ];
      const strange = (wishes.demanded ?? []).find((name) => !known.includes(name));
      if (strange !== undefined) refuse('NN933', { what: 'size', name: strange, path, known });
      const unused = [...result.artifacts.values()].map((a) => unusedOf(tuningPath(path), measured, a));
      const said = [measured.problem, ...unused].filter((r) => r !== null);
      return said.length === 0 ? result : { ...result, reports: [...result.reports, ...said] };
    }
    // A model beside the train block may have sizes of its own.
    const unbound = result.problems.flatMap((p) => (p.code === 'NN520' ? [p.data.size] : []));
    const fresh = unbound.filter((size) => bounds[size] === undefined);
    if (otherwise === undefined || fresh.length === 0) throw new Refusal(result.reports, result.sources);
    bounds = { ...bounds, ...Object.fromEntries(fresh.map((size) => [size, otherwise])) };
  }
}

/** The train block that `--only` names, or the only one. */
export const chooseTrain = (program: Program, path: string, only: string | undefined): TrainDeclaration =>
  choose(
    program,
    program.entry.ast.declarations.filter((d) => d.kind === 'train'),
    'train block',
    path,
    only,
  );

export const chooseModel = (program: Program, path: string, only: string | undefined): Callable =>
  choose(
    program,
    program.entry.ast.declarations.filter((d): d is Callable => d.kind === 'model'),
    'model',
    path,
    only,
  );

function choose<D extends TrainDeclaration | Callable>(
  program: Program,
  all: readonly D[],
  kind: 'train block' | 'model',
  path: string,
  only: string | undefined,
): D {
  const known = all.map(({ name }) => name.text);
  if (only === undefined) return all.length === 1 ? all[0]! : refuse('NN922', { path, kind, known });
  const other = program.entry.ast.declarations.find((d) => 'name' in d && d.name.text === only);
  if (other !== undefined && !all.some((d) => d === other))
    return refuse('NN943', { name: only, is: other.kind === 'train' ? 'train block' : other.kind, kind, path, known });
  return all.find(({ name }) => name.text === only) ?? refuseProblems([problem('NN790', null, { name: only, known })]);
}
