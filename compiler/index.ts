/**
 * nnc as a library: source text in, reports and artifacts out. No file system, no network, no clock: it runs in a browser as in Node.
 *
 * ```ts
 * const result = compile(text, { path: 'digits.nn', bounds: { B: 64 } });
 * if (!result.ok) console.error(result.reports.map((r) => r.message));
 * else result.artifacts.get('Fit')!.javascript;   // an ES module with a class `Fit`
 * ```
 */
import { check, type CheckResult } from './check/check.ts';
import { Kept } from './check/kept.ts';
import { loadProgram, type Host, type Program } from './check/program.ts';
import { problem, type Problem, type Report } from './diagnostics/problem.ts';
import { report } from './diagnostics/render/index.ts';
import { repaired } from './repair/repair.ts';
import { diagnose, diagnoseLoading } from './lint/lint.ts';
import type { LevelOptions } from './lint/levels.ts';
import { library as standardLibrary } from './library.generated.ts';
import { build, type Artifact, type Trace } from './pipeline.ts';
import type { Sources } from './source/source.ts';
import { parseRule, storeWanted } from './store/choice.ts';
import { GUARANTEED } from './targets/wgsl/layout.ts';
import { targets, type GpuLimits, type Target } from './targets/index.ts';
import type { Tuning } from './targets/wasm/tuning.ts';

export interface CompileOptions {
  /** The name of the source in messages, and what imports are relative to. Default `program.nn`. */
  readonly path?: string;
  /** Reads imported files. Default: there are none. */
  readonly host?: Host;
  /** Only this model or train block. Default: all of the file. */
  readonly only?: string;
  /** Greatest values of run-time sizes, where the source declares none (or a greater one): `{ B: 64, T: 1024 }`. */
  readonly bounds?: Readonly<Record<string, number>>;
  /** Values of `const`s in place of the source's: `{ width: 128 }`. Numbers. */
  readonly consts?: Readonly<Record<string, number>>;
  /** Inner values that `forward` (and a train block's `evaluate`) give as further results, by path: a layer's label, `label.argument`, a `let`. */
  readonly expose?: readonly string[];
  /** Fuse values into kernels (default), or materialise every value: slow, for comparison. */
  readonly fuse?: boolean;
  /** Reuse memory (default), or give every buffer a place of its own: for comparison. */
  readonly reuse?: boolean;
  /** Matrices from so many elements on that are only reduced (the scores of attention) are not stored; false: all are. Default: 4 Mi. */
  readonly stream?: number | false;
  /**
   * Bytes that each model or train block may take, or `least`: as few as there is a way to. Values of the forward pass are then computed again where the
   * backward pass wants them, with the same bits, for more time. What can not be within the bound is a report (NN530). Default: all are kept.
   */
  readonly memory?: number | 'least';
  /** Modules to emit beside the TypeScript target's: `wasm`, `wgsl`. They are in `artifact.modules`. */
  readonly targets?: readonly Target[];
  /** Limits of the GPU that `wgsl` is compiled for, where they are more (or less) than what every WebGPU device has, and how many cores it has (128 if left out). */
  readonly gpu?: Partial<GpuLimits>;
  /**
   * Products whose operands are halves (those of `precision f16`) have a form for the matrix units of a GPU beside their other one, and devices that have such units take it: Dawn's
   * `chromium-experimental-subgroup-matrix` with squares of 16 halves. Sums stay those of f32, in another order. Default: false.
   */
  readonly matrices?: boolean;
  /** What `nnc tune` measured to be quicker, by kernel, for the `wasm` target: it changes no result. */
  readonly tuning?: Tuning;
  /**
   * Modules of the `wasm` target get as light as they can: their code is made shorter, and from 16 KB on packed. Over the wire they then weigh a half to two thirds. It takes
   * a tenth of the time of compiling, and some tens of milliseconds to start. For what is shipped; `nnc build` does it. Results are the same bits. Default: false.
   */
  readonly packed?: boolean;
  /** Levels of lints beside those that the text gives: `{ allow: ['NN604'], deny: ['warnings'] }`. */
  readonly levels?: LevelOptions | undefined;
  /**
   * Parameters of two or more axes kept in fewer bytes, of models only: `['int8']` (a scale for every row), `['int8:64']`, `['int4:32']` (a scale for so
   * many elements of a row), `['f16']`, or by path: `['h.*.attn.**=int8', 'int4:32']`. The first rule that matches decides.
   */
  readonly weights?: readonly string[];
  /** Try small changes around the first error: what was probably meant, and where the mistake is. Up to a second in a large program. */
  readonly guesses?: boolean;
  /** Called after every stage with its name, what it made as text (on demand) and its time is the caller's to take. */
  readonly trace?: Trace;
}

export interface CompileResult {
  /** No errors (there may be warnings): every wanted artifact is there. */
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  readonly reports: readonly Report[];
  readonly sources: Sources;
  /** By the name of the model or train block. */
  readonly artifacts: ReadonlyMap<string, Artifact>;
}

const isError = (r: Report): boolean => r.severity === 'error';

/** Parses and checks only. Never throws. */
export function checkSource(
  text: string,
  options: CompileOptions = {},
): {
  readonly program: Program;
  readonly checked: CheckResult;
  readonly problems: readonly Problem[];
  readonly reports: readonly Report[];
} {
  const loaded = loadProgram(
    options.path ?? 'program.nn',
    text,
    options.host ?? { read: () => null },
    standardLibrary,
    options.consts,
    // So that a guess is tried at the price of what it changes.
    options.guesses === true ? new Kept() : null,
  );
  options.trace?.('parse', () => loaded.program.modules.map((m) => m.path).join('\n'));
  const checked = check(loaded.program);
  options.trace?.('check', () => '');
  const found = [
    ...diagnoseLoading(loaded.program, loaded.problems),
    ...diagnose(loaded.program, checked, { levels: options.levels, loading: loaded.problems }),
  ];
  const problems = options.guesses === true ? repaired(loaded.program, checked, found) : found;
  options.trace?.('lint', () => '');
  return { program: loaded.program, checked, problems, reports: problems.map(report) };
}

/** The sizes of the file's own models and train blocks, and those of what they use; those that a model takes as parameters, too. */
function sizesIn(checked: CheckResult): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [callable, signature] of checked.signatures) {
    if (signature.definition.module.library && callable.kind !== 'model') continue;
    for (const s of [...signature.sizes, ...signature.runs]) found.add(s);
    for (const p of callable.parameters) if (p.type?.dtype.text === 'size') found.add(p.name.text);
  }
  for (const train of checked.trains.values()) for (const s of train.sizes) found.add(s);
  return found;
}

/** What is wrong with bounds, consts and targets. */
function optionProblems(program: Program, checked: CheckResult, options: CompileOptions): Problem[] {
  const found: Problem[] = [];
  const wrong = (option: string, value: string, wanted: string): void => {
    found.push(problem('NN792', null, { option, value, wanted }));
  };
  const sizes = sizesIn(checked);
  for (const [name, bound] of Object.entries(options.bounds ?? {}))
    if (!Number.isInteger(bound) || bound < 1) wrong(`bounds.${name}`, String(bound), 'a whole number from 1');
    // One set of bounds may serve many programs: said, and no reason to stop.
    else if (!sizes.has(name))
      found.push({
        ...problem('NN792', null, {
          option: `bounds.${name}`,
          value: 'given',
          wanted: `a size of the file (${[...sizes].join(', ') || 'it has none'})`,
        }),
        severity: 'warning',
      });
  const known = program.entry.ast.declarations.flatMap((d) => (d.kind === 'const' ? [d.name.text] : []));
  for (const [name, value] of Object.entries(options.consts ?? {})) {
    if (!known.includes(name))
      wrong(`consts.${name}`, 'given', `a const of the file (${known.join(', ') || 'it has none'})`);
    else if (!Number.isFinite(value)) wrong(`consts.${name}`, String(value), 'a number');
  }
  for (const [k, rule] of (options.weights ?? []).entries())
    if (parseRule(rule) === null) wrong(`weights[${k}]`, `\`${String(rule)}\``, storeWanted);
  const { memory } = options;
  if (memory !== undefined && memory !== 'least' && !(Number.isInteger(memory) && memory > 0))
    wrong('memory', String(memory), 'a whole number of bytes from 1, or `least`');
  for (const target of options.targets ?? [])
    if (!targets.includes(target)) wrong('targets', `\`${String(target)}\``, `one of ${targets.join(', ')}`);
  for (const [name, limit] of Object.entries<number>({ ...options.gpu })) {
    if (!Object.hasOwn(GUARANTEED, name)) wrong(`gpu.${name}`, 'given', `one of ${Object.keys(GUARANTEED).join(', ')}`);
    else if (!Number.isInteger(limit) || limit < 1) wrong(`gpu.${name}`, String(limit), 'a whole number from 1');
    else if (name !== 'bindings' && name !== 'cores' && limit % 256 !== 0)
      wrong(`gpu.${name}`, String(limit), 'a multiple of 256 bytes');
  }
  return found;
}

/** Source text → artifacts. Never throws on user input: what is wrong is in `reports`. */
export function compile(text: string, options: CompileOptions = {}): CompileResult {
  const { program, checked, problems, reports } = checkSource(text, options);
  if (reports.some(isError)) return { ok: false, problems, reports, sources: program.sources, artifacts: new Map() };
  const wrong = optionProblems(program, checked, options);
  if (wrong.some((p) => p.severity !== 'warning'))
    return {
      ok: false,
      problems: [...problems, ...wrong],
      reports: [...reports, ...wrong.map(report)],
      sources: program.sources,
      artifacts: new Map(),
    };
  const built = build(program, checked, options);
  const all = [...reports, ...wrong.map(report), ...built.problems.map(report)];
  return {
    ok: !all.some(isError),
    problems: [...problems, ...wrong, ...built.problems],
    reports: all,
    sources: program.sources,
    artifacts: built.artifacts,
  };
}

export type { Artifact } from './pipeline.ts';
export { targets, type Excess, type GpuLimits, type Target, type TargetModule } from './targets/index.ts';
export type { LevelOptions } from './lint/levels.ts';
export type { Problem, Report } from './diagnostics/problem.ts';
export type { Host } from './check/program.ts';
export { renderTerminal, renderJson } from './diagnostics/terminal.ts';
export { Sources } from './source/source.ts';
