/**
 * What every stage makes of small programs, side by side: source, graph, kernels, plan, emitted TypeScript. A change here is a change of behaviour
 * to be looked at; `npx vitest run test/golden -u` accepts it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { print as printGraph } from '../../compiler/graph/print.ts';
import { printProgram } from '../../compiler/kernel/print.ts';
import { printPlan } from '../../compiler/plan/print.ts';
import { kernelText } from '../support/emitted-text.ts';

const folder = join(import.meta.dirname, 'cases');

describe('golden cases', () => {
  for (const file of readdirSync(folder).filter((f) => f.endsWith('.nn'))) {
    it(file, async () => {
      const source = readFileSync(join(folder, file), 'utf8');
      const result = compile(source, { path: file, bounds: { B: 8 } });
      expect(result.reports.map((r) => `${r.code} ${r.message}`)).toEqual([]);
      const sections = [`# ${basename(file, '.nn')}`, '', '```nn', source.trimEnd(), '```', ''];
      for (const artifact of result.artifacts.values()) {
        // A train block's own programs; its model's forward pass is in the model's section.
        const wanted = artifact.kind === 'train' ? ['step'] : ['forward'];
        for (const [name, graph] of artifact.graphs)
          if (wanted.includes(name)) sections.push(`## ${graph.name}: graph`, '', '```', printGraph(graph).trimEnd(), '```', '');
        for (const [name, program] of artifact.kernelPrograms)
          if (wanted.includes(name)) sections.push(`## ${program.name}: kernels`, '', '```', printProgram(program).trimEnd(), '```', '');
        sections.push(`## ${artifact.name}: plan`, '', '```', printPlan(artifact.plan).trimEnd(), '```', '');
        sections.push(`## ${artifact.name}: TypeScript, kernels`, '', '```ts', kernelText(artifact.typescript), '```', '');
      }
      await expect(sections.join('\n')).toMatchFileSnapshot(join(folder, file.replace('.nn', '.md')));
    });
  }
});
