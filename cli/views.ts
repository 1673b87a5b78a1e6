/** What a compiled block looks like inside, as text: for `nnc build --print` and `nnc explain FILE`. */
import type { Span } from '../grammar/ast.ts';
import { printExpr } from '../editor/prettier-plugin/print.ts';
import type { CheckResult } from '../compiler/check/check.ts';
import { formatType, type Type } from '../compiler/check/types.ts';
import type { Program } from '../compiler/check/program.ts';
import type { Artifact, Sources } from '../compiler/index.ts';
import type { OriginId, Origins } from '../compiler/graph/origin.ts';
import { print as printGraph } from '../compiler/graph/print.ts';
import { printKernel, printProgram } from '../compiler/kernel/print.ts';
import type { Buffer } from '../compiler/kernel/types.ts';
import { layout, WIDTH } from '../compiler/plan/place.ts';
import { BYTES, CALL, crowdOf, FLOPS } from '../compiler/plan/within.ts';
import { sizeText } from '../compiler/plan/sizes.ts';
import { evaluate } from '../compiler/sizes/poly.ts';
import { printSchedule } from '../compiler/schedule/print.ts';
import { printWasmSchedule } from '../compiler/schedule/wasm.ts';
import { prepareAll } from '../compiler/targets/wasm/emit.ts';
import { choiceText } from '../compiler/targets/wasm/tuning.ts';
import type { Plan, PlanStep } from '../runtime/plan.ts';
import { fusionText } from './fusion.ts';
import { formatBytes } from './problems.ts';

export interface Shown {
  readonly artifact: Artifact;
  readonly sources: Sources;
  readonly program: Program;
  readonly checked: CheckResult;
}

export const views = { graph, kernels, plan, memory, typed, fusion, schedule } satisfies Record<
  string,
  (shown: Shown) => string
>;

export type View = keyof typeof views;

/** The graphs after simplification. */
function graph({ artifact }: Shown): string {
  return [...artifact.graphs.values()].map((g) => printGraph(g)).join('\n');
}

function kernels({ artifact }: Shown): string {
  return [...[...artifact.kernelPrograms.values()].map(printProgram), ...artifact.kernels.map(printKernel)].join(
    '\n\n',
  );
}

/** What is stored and what is computed again, with what decided it. */
function fusion({ artifact, sources }: Shown): string {
  return fusionText(artifact, (origin) => placeOf(artifact.origins, origin, sources));
}

function schedule({ artifact }: Shown): string {
  const { plan, kernels, schedules, tuning } = artifact;
  const wasm = prepareAll(plan, kernels, tuning);
  const indented = (text: string): string => text.replace(/^(?=.)/gm, '    ');
  return kernels
    .map((kernel, i) => {
      const ts = schedules[i] === undefined ? '' : printSchedule(schedules[i]);
      const choice = wasm.choices[i] ?? null;
      const tuned = choice === null ? '' : `, tuned: ${choiceText(choice)}`;
      return `${kernel.name}\n  ts\n${indented(ts)}\n  wasm${tuned}\n${indented(printWasmSchedule(wasm.schedules[i]!))}`;
    })
    .join('\n\n');
}

/** Where memory lies and what runs in which order. */
function plan({ artifact }: Shown): string {
  const { plan: p } = artifact;
  const lines = [`${p.kind} ${p.name}`];
  for (const size of p.sizes) lines.push(`  ${size.name} <= ${size.bound}`);
  for (const arena of ['persistent', 'work'] as const) {
    lines.push('', `${arena}: ${p.arenas[arena].toLocaleString('en-US')} bytes`);
    const own = p.buffers.filter((b) => b.arena === arena).sort((a, b) => a.offset - b.offset);
    const digits = String(p.arenas[arena]).length;
    for (const b of own) {
      const place = `${String(b.offset).padStart(digits)} ${String(b.bytes).padStart(digits)}`;
      const leaf = b.leaf === null || b.leaf === b.name ? '' : ` (${b.leaf})`;
      lines.push(`  ${place}  ${b.name}: ${b.dtype}[${b.shape.map((e) => sizeText(e)).join(', ')}]${leaf}`);
    }
  }
  for (const program of Object.values(p.programs)) lines.push('', `${program.name}:`, ...steps(p, program.steps, '  '));
  return lines.join('\n');
}

function steps(p: Plan, list: readonly PlanStep[], indent: string): string[] {
  const name = (buffer: number) => p.buffers[buffer]?.name ?? `buffer ${buffer}`;
  return list.flatMap((step) => {
    switch (step.kind) {
      case 'call':
        return [`${indent}${p.kernels[step.kernel]}(${step.buffers.map(name).join(', ')})`];
      case 'copy':
        return [`${indent}${name(step.to)} = ${name(step.from)}`];
      case 'loop': {
        const limit = step.limit === undefined ? '' : `, at most ${name(step.limit)}`;
        const until = step.until === undefined ? '' : `, until ${name(step.until)}`;
        const how = `${step.reversed ? ' reversed' : ''}${limit}${until}`;
        const head = `${indent}for ${step.variable} < ${sizeText(step.count)}${how}`;
        return [head, ...steps(p, step.body, `${indent}  `)];
      }
    }
  });
}

/** What lies in memory, and what is computed again so that it is not more. */
function memory({ artifact, sources }: Shown): string {
  const { plan: p, recomputations, kernelPrograms, origins } = artifact;
  const { persistent, work } = p.arenas;
  const lines = [
    `${p.kind} ${p.name}: ${formatBytes(persistent + work)} (${formatBytes(persistent)} kept, ${formatBytes(work)} to work in)`,
  ];
  const table = (rows: readonly (readonly string[])[]): void => {
    const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => row[k]!.length)));
    for (const row of rows) lines.push(`  ${row.map((cell, k) => cell.padEnd(widths[k]!)).join('  ')}`.trimEnd());
  };
  const bounds = new Map(p.sizes.map((s) => [s.name, s.bound]));
  for (const [name, program] of kernelPrograms) {
    const bytes = (b: Buffer): number =>
      b.sizes.reduce((n, s) => n * evaluate(s, (size) => bounds.get(size) ?? 1), WIDTH[b.dtype]);
    const crowd = crowdOf(program, layout(program, bytes).ranges, bytes);
    lines.push(
      '',
      `${name}: where it needs most, ${formatBytes(crowd.bytes)} at once, the largest of ${crowd.members.length}`,
    );
    table(crowd.members.slice(0, 8).map((m) => [formatBytes(m.bytes), m.name, placeOf(origins, m.origin, sources)]));
    const again = recomputations.find((r) => r.program === program.name);
    if (again === undefined) continue;
    const saved = `${formatBytes(again.before)} without, ${formatBytes(again.after)} with`;
    lines.push(
      `${name}: computed again, ${(100 * again.share).toPrecision(2)} % more work; to work in: ${saved}. First what takes least time a byte and is wanted last, by`,
      `${FLOPS / 1e9} GFLOP/s or ${BYTES / 1e9} GB/s, whichever takes longer, and ${1e6 * CALL} µs a call:`,
    );
    table(
      again.repeats
        .toSorted((a, b) => b.bytes - a.bytes)
        .map((r) => [
          formatBytes(r.bytes),
          r.buffer,
          r.times === 1 ? '' : `${r.times} times`,
          `${(1e3 * r.seconds).toPrecision(2)} ms`,
          placeOf(origins, r.origin, sources),
        ]),
    );
  }
  return lines.join('\n');
}

/** Every name that the block binds and every stage of its pipelines, with the type. */
function typed({ artifact, sources, program, checked }: Shown): string {
  const declaration = program.entry.ast.declarations.find((d) => 'name' in d && d.name.text === artifact.name);
  if (declaration === undefined) return '';
  const rows: { readonly at: number; readonly text: string }[] = [];
  const add = (span: Span, at: number, name: string, type: Type) => {
    const { file, start, end } = declaration.span;
    if (span.file !== file || span.start < start || span.end > end) return;
    rows.push({ at, text: `  ${sources.place({ ...span, start: at })}  ${name}: ${formatType(type)}` });
  };
  for (const [statement, type] of checked.lets) {
    const { name, span } = statement as { readonly name: { readonly text: string }; readonly span: Span };
    add(span, span.start, name.text, type);
  }
  for (const [e, type] of checked.types) {
    if (e.kind === 'pipe') add(e.span, e.stage.span.start, `|> ${printExpr(e.stage)}`, type);
  }
  rows.sort((x, y) => x.at - y.at);
  return [`${artifact.kind} ${artifact.name}`, ...rows.map(({ text }) => text)].join('\n');
}

/** The place in the user's own text: out of the library, up to the call. */
function placeOf(origins: Origins, origin: OriginId, sources: Sources): string {
  let row = origins.rows[origin];
  while (row !== undefined && row.parent !== null && sources.get(row.span.file).library) row = origins.rows[row.parent];
  return row === undefined ? '' : sources.place(row.span);
}
