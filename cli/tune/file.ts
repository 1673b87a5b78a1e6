/**
 * `model.tune.json` beside `model.nn`: what was measured, on which machine, by which compiler, of which kernels. It is used where machine and compiler are still the
 * same; else it is said why not, and the cost model's schedules stand. A file can make a program slower, never wrong: a choice that does not fit its kernel is
 * passed over by the compiler, and that, too, is said (`unusedOf`), as are kernels that the program no longer has.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Artifact } from '../../compiler/index.ts';
import type { Report } from '../../compiler/diagnostics/problem.ts';
import { tileModule } from '../../compiler/targets/wasm/tile.ts';
import { tuned } from '../../compiler/targets/wasm/tuned.ts';
import { choiceText, type Choice, type StageChoice, type Tuning } from '../../compiler/targets/wasm/tuning.ts';
import { located } from '../files.ts';
import type { Io } from '../io.ts';
import { version } from '../version.ts';
import { cliReport } from '../problems.ts';
import { engine } from './engine.ts';
import type { Tuned } from './measure.ts';

const FORMAT = 'nnc tuning 2';

export const tuningPath = (program: string): string => `${program.replace(/\.nn$/, '')}.tune.json`;

/** What times depend on: processor, engine, and whether it has fused multiply-add. */
export function machineKey(): string {
  const [cpu] = cpus();
  const fused = engine.validate(tileModule(true)) ? 'relaxed SIMD' : 'SIMD';
  return `${cpu?.model.trim() ?? 'unknown processor'}, V8 ${process.versions.v8.split('.').slice(0, 2).join('.')}, ${fused}`;
}

/** A kernel as measured, and the blocks of the program that have it. */
export interface TunedOf extends Tuned {
  readonly units: readonly string[];
}

export function tuningText(
  tuned: readonly TunedOf[],
  { machine, date, threads }: { readonly machine: string; readonly date: string; readonly threads: number },
): string {
  const microseconds = (ms: number): number => Number((1000 * ms).toPrecision(4));
  const kernels = tuned.map(({ key, kernel, units, choice, usual, best }) => ({
    ...{ key, kernel, units, choice },
    microseconds: { usual: microseconds(usual), tuned: microseconds(best) },
  }));
  return `${JSON.stringify({ format: FORMAT, compiler: version(), machine, threads, date, kernels }, null, 1)}\n`;
}

/** A kernel of the file. */
export interface Row {
  readonly key: string;
  readonly kernel: string;
  readonly units: readonly string[];
}

export interface Read {
  readonly tuning: Tuning | null;
  readonly rows: readonly Row[];
  /** Why there is none, where there is a file. */
  readonly problem: Report | null;
}

export const NO_TUNING: Read = { tuning: null, rows: [], problem: null };

/** The tuning beside a program, if there is one that is for this machine and compiler. */
export function readTuning(io: Io, program: string, machine: string = machineKey()): Read {
  const path = tuningPath(program);
  let text: string;
  try {
    text = readFileSync(located(io, path), 'utf8');
  } catch {
    return NO_TUNING;
  }
  const broken = (reason: string): Read => ({ ...NO_TUNING, problem: cliReport('NN947', { path, reason }) });
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    return broken(error instanceof Error ? error.message : String(error));
  }
  if (!isRecord(file) || file['format'] !== FORMAT) return broken(`it does not begin with "format": "${FORMAT}"`);
  const stale = (what: 'compiler' | 'machine', was: string, is: string): Read => ({
    ...NO_TUNING,
    problem: cliReport('NN948', { path, what, was, is }),
  });
  const { compiler, machine: of, kernels } = file;
  if (typeof compiler !== 'string' || typeof of !== 'string' || !Array.isArray(kernels))
    return broken('compiler, machine or kernels is missing');
  if (compiler !== version()) return stale('compiler', compiler, version());
  if (of !== machine) return stale('machine', of, machine);
  const tuning = new Map<string, Choice>();
  const rows: Row[] = [];
  for (const [k, row] of kernels.entries()) {
    const choice = isRecord(row) ? choiceOf(row['choice']) : null;
    const { key, kernel, units } = isRecord(row) ? row : {};
    const isNamed = typeof kernel === 'string' && Array.isArray(units) && units.every((u) => typeof u === 'string');
    if (typeof key !== 'string' || choice === null || !isNamed)
      return broken(`kernel ${k + 1} has no key, or a choice that is none`);
    rows.push({ key, kernel, units });
    if (Object.keys(choice).length > 0) tuning.set(key, choice);
  }
  return { tuning, rows, problem: null };
}

/** What of a tuning is for kernels that a block no longer has, or chooses what its kernel cannot have; null: nothing. */
export function unusedOf(path: string, { rows, tuning }: Read, artifact: Artifact): Report | null {
  if (tuning === null) return null;
  const own = rows.filter((r) => r.units.includes(artifact.name));
  const { keys, unfit } = tuned(artifact.plan, artifact.kernels, tuning);
  const gone = own.filter((r) => !keys.has(r.key)).map((r) => r.kernel);
  const wrong = own.filter((r) => unfit.has(r.key)).map((r) => `${r.kernel}: ${choiceText(tuning.get(r.key)!)}`);
  if (gone.length + wrong.length === 0) return null;
  return cliReport('NN949', { path, unit: artifact.name, of: own.length, gone, wrong });
}

const isRecord = (x: unknown): x is Readonly<Record<string, unknown>> =>
  typeof x === 'object' && x !== null && !Array.isArray(x);

const hasOnly = (x: object, keys: readonly string[]): boolean => Object.keys(x).every((k) => keys.includes(k));
const isNumber = (x: unknown): x is number => typeof x === 'number';
const isPair = (x: unknown): x is readonly [number, number] => Array.isArray(x) && x.length === 2 && x.every(isNumber);

/** By field, what it may be. */
const STAGE: Readonly<Record<keyof StageChoice, (x: unknown) => boolean>> = {
  height: isNumber,
  turned: (x) => x === true,
  block: isPair,
  count: isNumber,
  points: isNumber,
};

function isShare(x: unknown): boolean {
  if (!isRecord(x) || Object.keys(x).length !== 1) return false;
  return typeof x['axis'] === 'string' || x['panels'] === 'rows' || x['panels'] === 'columns';
}

const CHOICE: Readonly<Record<keyof Choice, (x: unknown) => boolean>> = {
  together: isNumber,
  share: isShare,
  stages: (x) => isRecord(x) && Object.values(x).every((own) => isOf(own, STAGE)),
};

const isOf = (x: unknown, fields: Readonly<Record<string, (x: unknown) => boolean>>): boolean =>
  isRecord(x) && hasOnly(x, Object.keys(fields)) && Object.entries(x).every(([k, value]) => fields[k]!(value));

const choiceOf = (x: unknown): Choice | null => (isOf(x, CHOICE) ? (x as Choice) : null);
