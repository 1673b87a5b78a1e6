/** Models named like something that their module has: every target's module still works, and exports the user's name. */
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { loadModule } from '../support/emitted.ts';

const targets = ['ts', 'wasm', 'wgsl', 'auto'] as const;
const names = ['Gates', 'Result', 'Map', 'Machine', 'NncError', 'plan', 'delete_', 'Net'];

interface Created {
  forward(inputs: object): { y: { data: Float32Array } };
}
type Module = Record<string, { create(options: object): Created; plan?: { name: string } }>;

/** Names that a .d.ts declares (interfaces may come in pieces; these do not), and those that it exports. */
function typesOf(text: string): { declared: string[]; exported: string[] } {
  const declared: string[] = [];
  const exported: string[] = [];
  for (const statement of ts.createSourceFile('m.d.ts', text, ts.ScriptTarget.Latest).statements) {
    if (
      ts.isExportDeclaration(statement) &&
      statement.exportClause !== undefined &&
      ts.isNamedExports(statement.exportClause)
    )
      exported.push(...statement.exportClause.elements.map((e) => e.name.text));
    const { name } = statement as ts.ClassDeclaration;
    if (name === undefined) continue;
    declared.push(name.text);
    if (
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword)
    )
      exported.push(name.text);
  }
  return { declared, exported };
}

describe.each(names)('a model named %s', (name) => {
  const source = `model ${name}(x: float[2]) -> (y: float[2]) { return (y: 2 * x) }`;
  const { reports, artifacts } = compile(source, { only: name, targets: [...targets] });

  it('is in every target', async () => {
    expect(reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
    const { modules } = artifacts.get(name)!;
    for (const target of targets) {
      const { javascript, declarations } = modules.get(target)!;
      const module = (await loadModule(javascript)) as Module;
      expect(Object.keys(module), target).toContain(name);
      if (target === 'ts' || target === 'wasm')
        expect([...module[name]!.create({}).forward({ x: Float32Array.of(1, 2) }).y.data]).toEqual([2, 4]);
      // Exactly one thing of that name is exported, and no two are declared.
      const text = typesOf(declarations);
      expect(
        text.exported.filter((n) => n === name),
        target,
      ).toHaveLength(1);
      expect(new Set(text.declared).size, target).toBe(text.declared.length);
    }
  });
});
