/** One damage, one report, on the damaged line; and what stands around the damage is still there. */
import { describe, expect, test } from 'vitest';
import type { Callable } from '../../grammar/ast.ts';
import { parse } from '../../grammar/parse.ts';
import { programs } from './support.ts';

const program = (name: string): string => programs.find((p) => p.name === `${name}.nn`)!.text;

function damaged(name: string, whole: string, broken: string): string {
  const text = program(name);
  if (text.split(whole).length < 2) throw new Error(`${name} has no ${whole}`);
  return text.replace(whole, broken);
}

const reports = (text: string): string[] =>
  parse({ id: 0, text }).problems.map(({ code, span }) => `${code} at ${text.slice(0, span.start).split('\n').length}`);

/** What it is, the program, the text, its damaged form, the report. */
const cases: readonly (readonly [string, string, string, string, string])[] = [
  ['missing )', 'gpt2', 'c_attn: Linear(3 * D)', 'c_attn: Linear(3 * D', 'NN003 at 5'],
  ['missing ) before an assignment', 'llama', 'q = rotate(q, at)', 'q = rotate(q, at', 'NN003 at 26'],
  ['missing ]', 'gpt2', 'score[b, h, t, s]\n  let z', 'score[b, h, t, s\n  let z', 'NN003 at 8'],
  ['missing ] of a reduction', 'gpt2', 'sum[e] qkv', 'sum[e qkv', 'NN003 at 7'],
  ['missing } of a loop', 'gpt2', 'mlp: Mlp)\n  }', 'mlp: Mlp)', 'NN003 at 20'],
  ['missing } of a declaration', 'gpt2', 'c_proj: Linear(D)\n}', 'c_proj: Linear(D)', 'NN003 at 3'],
  ['missing { of a loop', 'gpt2', 'h: repeat layers {', 'h: repeat layers', 'NN017 at 20'],
  ['missing { of a training', 'digits', 'train Fit {', 'train Fit', 'NN017 at 7'],
  ['brace in an open bracket', 'gpt2', 'repeat layers {', 'repeat (layers {', 'NN003 at 20'],
  ['surplus }', 'gpt2', 'Linear(3 * D)\n', 'Linear(3 * D)\n  }\n', 'NN004 at 6'],
  ['surplus )', 'gpt2', 'sqrt(D / heads)', 'sqrt(D / heads))', 'NN004 at 7'],
  ['surplus ] inside', 'gpt2', 'Embedding(vocab, width)', 'Embedding(vocab], width)', 'NN004 at 17'],
  ['wrong closer', 'gpt2', 'Embedding(vocab, width)', 'Embedding(vocab, width]', 'NN005 at 17'],
  ['swapped closers', 'gpt2', '(n h e)]', '(n h e])', 'NN005 at 6'],
  ['group without its (', 'gpt2', '(n h e)]', 'n h e)]', 'NN004 at 6'],
  ['missing =', 'gpt2', 'let y = x |> c_attn', 'let y x |> c_attn', 'NN006 at 5'],
  ['missing value', 'gpt2', 'let y = x |> ln_f: LayerNorm', 'let y =', 'NN006 at 24'],
  ['missing operand', 'gpt2', 't, e] * qkv', 't, e] * * qkv', 'NN006 at 7'],
  ['missing comma', 'gpt2', 'let score[b, h, t, s]  =', 'let score[b h, t, s]  =', 'NN006 at 7'],
  ['surplus comma', 'gpt2', 'Embedding(vocab, width)', 'Embedding(vocab, width,)', 'NN006 at 17'],
  ['missing ->', 'gpt2', '-> float[B, T, vocab] {', 'float[B, T, vocab] {', 'NN006 at 15'],
  ['missing colon in a signature', 'gpt2', '(heads: int)', '(heads int)', 'NN006 at 3'],
  ['missing ) in a signature', 'gpt2', '(heads: int)', '(heads: int', 'NN003 at 3'],
  ['missing colon of a parameter', 'lstm', 'param bias: float', 'param bias float', 'NN006 at 5'],
  ['misspelt declaration', 'gpt2', 'block CausalAttention', 'blok CausalAttention', 'NN021 at 3'],
  ['text between declarations', 'gpt2', 'block Mlp', 'hello world\nfoo bar\nlet x = 3\nblock Mlp', 'NN021 at 13'],
  ['two statements on a line', 'gpt2', 'ln_f: LayerNorm\n', 'ln_f: LayerNorm ', 'NN006 at 24'],
  ['reduction apart from its bracket', 'gpt2', 'sum[e] qkv', 'sum [e] qkv', 'NN006 at 7'],
  ['guard outside its bracket', 'gpt2', '[s where s <= t] score', '[s] where s <= t score', 'NN006 at 8'],
  ['condition with =', 'unet', 'depth == 0', 'depth = 0', 'NN006 at 14'],
  ['conditional of another language', 'gpt2', 'let y = x |> ln_f: LayerNorm', 'let y = x if T else 0', 'NN006 at 24'],
  ['loop of another language', 'gpt2', 'h: repeat layers {', 'for i in layers {', 'NN006 at 20'],
  ['named argument with =', 'digits', 'Adam(lr: 3e-3)', 'Adam(lr=3e-3)', 'NN020 at 15'],
  ['slice', 'gpt2', 'wpe.weight[t, d]', 'wpe.weight[0:t, d]', 'NN006 at 19'],
  ['loop in a training', 'digits', 'epochs 20', 'repeat 3 { }', 'NN016 at 17'],
  ['training in a body', 'gpt2', 'return logits', 'minimize logits', 'NN016 at 26'],
  ['reserved word as a name', 'gpt2', 'let y = x |> ln_f', 'let block = x |> ln_f', 'NN013 at 24'],
  ['label before a call', 'gpt2', 'let y = x |> ln_f: LayerNorm', 'let y = ln_f: LayerNorm(x)', 'NN018 at 24'],
  ['string without an end', 'translation', 'into heads"', 'into heads', 'NN002 at 10'],
  ['foreign characters', 'gpt2', 'let y = x |> ln_f', 'let y😀é = x |> ln_f', 'NN001 at 24'],
  ['checkpoint entry without =', 'gpt2', 'c_attn.weight[o, d] =', 'c_attn.weight[o, d]', 'NN006 at 31'],
];

describe('one damage, one report, on its line', () => {
  for (const [what, name, whole, broken, report] of cases) {
    test(what, () => expect(reports(damaged(name, whole, broken))).toEqual([report]));
  }
  test('the text ends early', () => expect(reports(program('gpt2').slice(0, 700))).toEqual(['NN003 at 15']));
});

describe('what stands around the damage is kept', () => {
  const names = (text: string): string[] =>
    parse({ id: 0, text }).module.declarations.flatMap((d) => ('name' in d ? [d.name.text] : []));

  test('declarations', () => {
    const whole = names(program('gpt2'));
    expect(whole).toHaveLength(8);
    for (const [what, name, from, to] of cases) {
      if (name !== 'gpt2' || what === 'misspelt declaration') continue;
      expect(names(damaged(name, from, to)), what).toEqual(whole);
    }
  });

  test('statements and holes', () => {
    const text = damaged('unet', 'depth == 0', 'depth = 0');
    const block = parse({ id: 0, text }).module.declarations.find(
      (d) => 'name' in d && d.name.text === 'UNet',
    ) as Callable;
    expect(block.damaged).toBe(false);
    expect(block.body.statements.map(({ kind }) => kind)).toEqual(['let', 'if', 'let', 'let', 'let', 'let', 'return']);
    expect(block.body.statements[1]).toMatchObject({ condition: { kind: 'bad' }, then: [{ kind: 'return' }] });
  });

  test('a damaged signature says so', () => {
    const text = damaged('gpt2', '(heads: int)', '(heads int)');
    const callables = parse({ id: 0, text }).module.declarations.filter((d): d is Callable => 'damaged' in d);
    expect(callables.map(({ name, damaged: flag }) => `${name.text} ${flag}`)).toEqual([
      'CausalAttention true',
      'Mlp false',
      'GPT2 false',
    ]);
  });

  test('a name whose value is missing', () => {
    const text = damaged('gpt2', 'let y = x |> ln_f: LayerNorm', 'let y =');
    const model = parse({ id: 0, text }).module.declarations.find(
      (d) => 'name' in d && d.name.text === 'GPT2',
    ) as Callable;
    expect(model.body.statements[5]).toMatchObject({ kind: 'let', name: { text: 'y' }, value: { kind: 'bad' } });
  });
});

test('deep nesting does not overflow', () => {
  for (const open of ['(', '[', '-', 'not ', 'sum[i] ', 'f(', 'repeat 2 {', '{']) {
    for (const times of [300, 20_000]) {
      const text = `fn f(x: float) {\n  let y = ${open.repeat(times)}`;
      expect(parse({ id: 0, text }).problems.length).toBeGreaterThan(0);
    }
  }
});

test('line endings of any kind', () => {
  const text = program('translation');
  const windows = text.replaceAll('\n', '\r\n');
  expect(parse({ id: 0, text: windows }).problems).toEqual([]);
  expect(parse({ id: 0, text: windows }).module.declarations).toHaveLength(
    parse({ id: 0, text }).module.declarations.length,
  );
  expect(parse({ id: 0, text: '' }).module.declarations).toEqual([]);
  expect(parse({ id: 0, text: '\uFEFF// only a comment' }).problems).toEqual([]);
});
