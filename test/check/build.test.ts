/** Programs that are well formed and cannot be built: the right report, once, at the right place. */
import { describe, expect, it } from 'vitest';
import { check } from '../../compiler/check/check.ts';
import { loadProgram } from '../../compiler/check/program.ts';
import { report } from '../../compiler/diagnostics/render/index.ts';
import { renderTerminal } from '../../compiler/diagnostics/terminal.ts';
import { elaborate } from '../../compiler/elaborate/elaborate.ts';
import { refused } from './refused.ts';
import { library } from './support.ts';

describe('programs that cannot be built', () => {
  it.each(refused.map((r) => [r.name, r] as const))('%s', async (name, { text, expected }) => {
    const { program } = loadProgram('test.nn', text, { read: () => null }, library);
    const checked = check(program);
    expect(checked.problems.map((p) => p.code)).toEqual([]);
    const { problems } = elaborate(program, { scanAxes: checked.scanAxes });
    const places = problems.map((p) =>
      p.span === null ? p.code : `${p.code} ${program.sources.position(p.span.file, p.span.start).line}`,
    );
    expect(places).toEqual(expected);
    const rendered = renderTerminal(problems.map(report), program.sources, { color: false, width: 100 });
    await expect(`${text}\n\n${'='.repeat(60)}\n${rendered}`).toMatchFileSnapshot(
      `golden/refused/${name.replace(/[^a-z0-9]+/gi, '-')}.txt`,
    );
  });
});
