/** The typed tree as text: signatures with their requirements, and the type of every `let`, leaf and result. For goldens and `--print typed`. */
import type { Callable, Statement } from '../../grammar/ast.ts';
import type { CheckResult } from './check.ts';
import { formatCondition } from './conditions.ts';
import type { Program, ProgramModule } from './program.ts';
import type { Signature } from './session.ts';
import type { Type } from './types.ts';
import { formatType } from './types.ts';

export function printTyped(program: Program, result: CheckResult, module: ProgramModule = program.entry): string {
  const lines: string[] = [];
  for (const d of module.ast.declarations) {
    if (d.kind === 'import' || d.kind === 'bad' || d.kind === 'checkpoint' || d.kind === 'storage') continue;
    if (d.kind === 'const') {
      lines.push(`const ${d.name.text}: ${formatType(result.consts.get(d) ?? { kind: 'error' })}`);
      continue;
    }
    lines.push('');
    if (d.kind === 'train') {
      lines.push(`train ${d.name.text}`);
      const info = result.trains.get(d);
      for (const [name, type] of info?.inputs ?? []) lines.push(`  input ${name}: ${formatType(type)}`);
      for (const r of info?.requirements ?? []) lines.push(`  data: ${formatCondition(r.condition)}`);
      for (const s of d.statements)
        if (s.kind === 'let')
          lines.push(`  let ${s.name.text}: ${formatType(result.lets.get(s) ?? { kind: 'error' })}`);
      continue;
    }
    callable(d, result, lines);
  }
  return `${lines.join('\n').trim()}\n`;
}

function callable(d: Callable, result: CheckResult, lines: string[]): void {
  const signature = result.signatures.get(d);
  if (signature === undefined) return;
  lines.push(`${d.kind} ${d.name.text}${parameters(signature)} -> ${formatType(signature.result ?? { kind: 'none' })}`);
  for (const r of signature.requirements) {
    const chain = r.chain.length === 0 ? '' : ` (from ${r.chain.map((c) => c.name).join(', ')})`;
    lines.push(`  require ${formatCondition(r.condition)}${chain}`);
  }
  if (signature.instanceSizes.size > 0) lines.push(`  instance sizes: ${[...signature.instanceSizes].join(', ')}`);
  if (d.kind === 'model' && signature.paths.size > 0)
    for (const path of [...signature.paths.keys()].sort()) lines.push(`  path ${path}`);
  statements(d.body.statements, result, lines, '  ');
}

function parameters(s: Signature): string {
  const list = (ps: Signature['parameters']): string =>
    `(${ps.map((p) => `${p.name}: ${formatType(p.type)}`).join(', ')})`;
  return `${s.config === null ? '' : list(s.config)}${list(s.parameters)}`;
}

function statements(list: readonly Statement[], result: CheckResult, lines: string[], indent: string): void {
  const typeOf = (s: Statement): Type => result.lets.get(s) ?? { kind: 'error' };
  for (const s of list) {
    if (s.kind === 'let') lines.push(`${indent}let ${s.name.text}: ${formatType(typeOf(s))}`);
    else if (s.kind === 'leaf') lines.push(`${indent}${s.leaf} ${s.name.text}: ${formatType(typeOf(s))}`);
    else if (s.kind === 'if') {
      lines.push(`${indent}if`);
      statements(s.then, result, lines, `${indent}  `);
      if (s.otherwise !== null) {
        lines.push(`${indent}else`);
        statements(s.otherwise, result, lines, `${indent}  `);
      }
    } else if (s.kind === 'repeat') {
      lines.push(`${indent}repeat`);
      statements(s.body, result, lines, `${indent}  `);
    }
    const value =
      s.kind === 'return' || s.kind === 'expression' || s.kind === 'let' || s.kind === 'assign' ? s.value : null;
    if (value?.kind === 'scan') {
      const axes = result.scanAxes.get(value);
      lines.push(`${indent}scan${axes === undefined ? '' : ` axis ${axes.join(', ')} from the end`}`);
      statements(value.body, result, lines, `${indent}  `);
    }
    if ((s.kind === 'return' || s.kind === 'expression') && value !== null)
      lines.push(
        `${indent}${s.kind === 'return' ? 'return ' : '= '}${formatType(result.types.get(value) ?? { kind: 'error' })}`,
      );
  }
}
