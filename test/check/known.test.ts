/** Modules of the library that are parsed by the piece are what a parse of the whole file gives, and only what a program names is parsed. */
import { expect, it, vi } from 'vitest';
import { knownModule } from '../../compiler/check/known.ts';
import { loadProgram } from '../../compiler/check/program.ts';
import { check } from '../../compiler/check/check.ts';
import { library, libraryContents } from '../../compiler/library.generated.ts';
import * as parser from '../../grammar/parse.ts';

vi.mock('../../grammar/parse.ts', { spy: true });

it.each(Object.entries(library))('%s', (name, text) => {
  const whole = parser.parse({ id: 3, text });
  expect(whole.problems).toEqual([]);
  const contents = libraryContents[name]!;
  const module = knownModule({ id: 3, path: `nnc:${name}`, text }, contents);
  expect(JSON.parse(JSON.stringify(module.ast))).toEqual(JSON.parse(JSON.stringify(whole.module)));
  expect([...module.names.keys()]).toEqual(
    whole.module.declarations.flatMap((d) => ('name' in d ? [d.name.text] : [])),
  );
  // A name and the tree of the file share their declarations.
  for (const { declaration } of module.names.values()) expect(module.ast.declarations).toContain(declaration);
  expect(whole.module.declarations.every((d) => d.kind !== 'checkpoint' && d.kind !== 'import')).toBe(true);
});

it('a program parses what it names', () => {
  const parsed = vi.mocked(parser.parse);
  parsed.mockClear();
  const text = 'model M(x: f32[B, 4]) = x |> Linear(3) |> relu\n';
  const { program, problems } = loadProgram('m.nn', text, { read: () => null }, library);
  expect([...problems, ...check(program).problems]).toEqual([]);
  const length = parsed.mock.calls.reduce((sum, [file]) => sum + file.text.length, 0);
  expect(length).toBeLessThan(0.05 * Object.values(library).join('').length);
});
