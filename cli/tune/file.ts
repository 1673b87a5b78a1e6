/**
 * `model.tune.json` beside `model.nn`: what was measured, on which machine, by which compiler. It is used where both are still the same; else it is said why not, and
 * the cost model's schedules stand. A file can make a program slower, never wrong: a choice that does not fit its kernel is passed over by the compiler.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Report } from '../../compiler/diagnostics/problem.ts';
import { tileModule } from '../../compiler/targets/wasm/tile.ts';
import type { Choice, StageChoice, Tuning } from '../../compiler/targets/wasm/tuning.ts';
import { located } from '../files.ts';
import type { Io } from '../io.ts';
import { version } from '../version.ts';
import { cliReport } from '../problems.ts';
import { engine } from './engine.ts';
import type { Tuned } from './measure.ts';

const FORMAT = 'nnc tuning 1';

export const tuningPath = (program: string): string => `${program.replace(/\.nn$/, '')}.tune.json`;

/** What times depend on: processor, engine, and whether it has fused multiply-add. */
export function machineKey(): string {
  const [cpu] = cpus();
  const fused = engine.validate(tileModule(true)) ? 'relaxed SIMD' : 'SIMD';
  return `${cpu?.model.trim() ?? 'unknown processor'}, V8 ${process.versions.v8.split('.').slice(0, 2).join('.')}, ${fused}`;
}

export function tuningText(tuned: readonly Tuned[], machine: string, date: string): string {
  const microseconds = (ms: number): number => Number((1000 * ms).toPrecision(4));
  const kernels = tuned.map(({ key, kernel, choice, usual, best }) => ({
    ...{ key, kernel, choice },
    microseconds: { usual: microseconds(usual), tuned: microseconds(best) },
  }));
  return `${JSON.stringify({ format: FORMAT, compiler: version(), machine, date, kernels }, null, 1)}\n`;
}

export interface Read {
  readonly tuning: Tuning | null;
  /** Why there is none, where there is a file. */
  readonly problem: Report | null;
}

/** The tuning beside a program, if there is one that is for this machine and compiler. */
export function readTuning(io: Io, program: string, machine: string = machineKey()): Read {
  const path = tuningPath(program);
  let text: string;
  try {
    text = readFileSync(located(io, path), 'utf8');
  } catch {
    return { tuning: null, problem: null };
  }
  const broken = (reason: string): Read => ({ tuning: null, problem: cliReport('NN947', { path, reason }) });
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    return broken(error instanceof Error ? error.message : String(error));
  }
  if (!isRecord(file) || file['format'] !== FORMAT) return broken(`it does not begin with "format": "${FORMAT}"`);
  const stale = (what: 'compiler' | 'machine', was: string, is: string): Read => ({
    tuning: null,
    problem: cliReport('NN948', { path, what, was, is }),
  });
  const { compiler, machine: of, kernels } = file;
  if (typeof compiler !== 'string' || typeof of !== 'string' || !Array.isArray(kernels))
    return broken('compiler, machine or kernels is missing');
  if (compiler !== version()) return stale('compiler', compiler, version());
  if (of !== machine) return stale('machine', of, machine);
  const tuning = new Map<string, Choice>();
  for (const [k, row] of kernels.entries()) {
    const choice = isRecord(row) ? choiceOf(row['choice']) : null;
    if (!isRecord(row) || typeof row['key'] !== 'string' || choice === null)
      return broken(`kernel ${k + 1} has no key, or a choice that is none`);
    if (Object.keys(choice).length > 0) tuning.set(row['key'], choice);
  }
  return { tuning, problem: null };
}

const isRecord = (x: unknown): x is Readonly<Record<string, unknown>> =>
  typeof x === 'object' && x !== null && !Array.isArray(x);

function choiceOf(x: unknown): Choice | null {
  if (!isRecord(x) || Object.keys(x).some((k) => k !== 'together' && k !== 'stages')) return null;
  const { together, stages } = x;
  if (together !== undefined && typeof together !== 'number') return null;
  if (stages === undefined) return together === undefined ? {} : { together };
  if (!isRecord(stages)) return null;
  const found: Record<string, StageChoice> = {};
  for (const [name, own] of Object.entries(stages)) {
    if (!isRecord(own) || Object.keys(own).some((k) => k !== 'block' && k !== 'count')) return null;
    const { block, count } = own;
    const isPair = Array.isArray(block) && block.length === 2 && block.every((n) => typeof n === 'number');
    if ((block !== undefined && !isPair) || (count !== undefined && typeof count !== 'number')) return null;
    found[name] = {
      ...(block === undefined ? {} : { block: block as unknown as readonly [number, number] }),
      ...(count === undefined ? {} : { count }),
    };
  }
  return { ...(together === undefined ? {} : { together }), stages: found };
}
