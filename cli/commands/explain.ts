/** `nnc explain`: what a code means, or what the compiler made of a file. */
import { codes, explanationOf } from '../explanations.ts';
import type { Io, LookOptions } from '../io.ts';
import { refuse, wrongUsage } from '../problems.ts';
import { batchBounds, checkedProgram, compiled, openProject, showReports } from '../project.ts';
import { views, type View } from '../views.ts';

export interface ExplainOptions extends LookOptions {
  readonly only?: string;
  readonly bound?: Readonly<Record<string, number>>;
  readonly const?: Readonly<Record<string, number>>;
  readonly fusion?: boolean;
  readonly schedule?: boolean;
  readonly plan?: boolean;
  readonly graph?: boolean;
  /** The bound: what is computed again to stay within it. */
  readonly memory?: number | 'least' | true;
}

const fileViews = ['fusion', 'schedule', 'plan', 'memory', 'graph'] as const satisfies readonly View[];

export function explain(io: Io, subject: string, options: ExplainOptions): number {
  const chosen = fileViews.filter((view) => options[view] !== undefined);
  if (chosen.length > 0) return explainFile(io, subject, chosen, options);
  if (/\.nn$/.test(subject))
    return wrongUsage(`say what to explain of ${subject}: --fusion, --schedule, --plan, --memory or --graph`);
  const code = /^\d{3}$/.test(subject) ? `NN${subject}` : subject.toUpperCase();
  const text = explanationOf(code);
  if (text === null) return refuse('NN932', { code: subject, nearest: nearestCodes(code) });
  io.stdout.write(`${text.trim()}\n`);
  return 0;
}

function explainFile(io: Io, file: string, chosen: readonly View[], options: ExplainOptions): number {
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program, checked } = checkedProgram(project, consts);
  const { artifacts, reports, sources } = compiled(project, {
    ...(options.only === undefined ? {} : { only: options.only }),
    bounds: { ...batchBounds(program), ...options.bound },
    demanded: Object.keys(options.bound ?? {}),
    consts,
    ...(options.memory === undefined || options.memory === true ? {} : { memory: options.memory }),
    tuned: options.schedule === true,
    // To look at, any bound will do.
    otherwise: 64,
  });
  showReports(io, reports, sources, options);
  for (const artifact of artifacts.values()) {
    for (const view of chosen) io.stdout.write(`${views[view]({ artifact, sources, program, checked }).trimEnd()}\n`);
  }
  return 0;
}

/** Codes that differ in one digit, or in the order of two; else the nearest numbers of the family. */
function nearestCodes(wanted: string): string[] {
  const digits = wanted.replace(/^NN/, '');
  if (!/^\d+$/.test(digits)) return [];
  const number = Number(digits);
  const distance = (code: string) => {
    const own = code.slice(2);
    const swapped = [...own].sort().join() === [...digits].sort().join();
    const different = [...own].filter((digit, i) => digit !== digits[i]).length;
    return (swapped || different === 1 ? 0 : 1000) + Math.abs(Number(own) - number);
  };
  return [...codes()].sort((a, b) => distance(a) - distance(b)).slice(0, 3);
}
