/** What the checker hands on: scanned axes, lifted requirements, references, types, imports, constants, fixes that are re-checked. */
import { describe, expect, it } from 'vitest';
import type { Callable, Expr, Statement } from '../../grammar/ast.ts';
import { formatCondition } from '../../compiler/check/conditions.ts';
import { applyEdits } from '../../compiler/check/fixes.ts';
import { formatType } from '../../compiler/check/types.ts';
import { codes, explain } from '../../compiler/diagnostics/render/index.ts';
import { checkText, designed, places } from './support.ts';

const callable = (checked: ReturnType<typeof checkText>, name: string): Callable =>
  checked.program.entry.names.get(name)!.declaration as Callable;

const requirements = (text: string, name: string): string[] => {
  const checked = checkText(text);
  return checked.result.signatures.get(callable(checked, name))!.requirements.map((r) => formatCondition(r.condition));
};

describe('results of the check', () => {
  it('records the scanned axis from the end', () => {
    const checked = checkText(designed.find((d) => d.name === 'lstm.nn')!.text);
    expect(places(checked)).toEqual([]);
    expect([...checked.result.scanAxes.values()]).toEqual([[1]]);
  });

  it('scans the second of three axes, and stacks there', () => {
    const checked = checkText(`fn f(x: float[A, T, B, C]) -> float[A, T, C] {
  return scan v over x along T {
    let s[a, c] = sum[b] v[a, b, c]
    yield s
  }
}`);
    expect(places(checked)).toEqual([]);
    expect([...checked.result.scanAxes.values()]).toEqual([[2]]);
  });

  it('lifts requirements, with the chain of calls', () => {
    const text = `block Inner(heads: int)(x: float[B, D]) -> float[B, D] {
  require D % heads == 0
  return x
}
block Outer(n: int)(x: float[B, 2 * E]) -> float[B, 2 * E] { x |> Inner(2 * n) }`;
    expect(requirements(text, 'Inner')).toEqual(['heads >= 1', 'D % heads == 0']);
    expect(requirements(text, 'Outer')).toContain('(2 * E) % (2 * n) == 0');
  });

  it('a branch makes its requirements conditional', () => {
    const text = `block Inner(x: float[B, D]) -> float[B, D] {
  require D % 2 == 0
  return x
}
block Outer(deep: int)(x: float[B, D]) -> float[B, D] {
  if deep > 3 { x = x |> Inner }
  return x
}
model M(x: float[B, 5]) -> float[B, 5] { x |> Outer(2) }`;
    expect(requirements(text, 'Outer')).toEqual(['deep < 4 or D % 2 == 0']);
    expect(places(checkText(text))).toEqual([]);
    expect(places(checkText(text.replace('Outer(2)', 'Outer(4)')))).toEqual(['NN107 9']);
  });

  it("a model's own requirements wait for the data", () => {
    const text = `model M(x: float[B, T]) -> float[B, T] {
  require T <= 1024
  return x
}`;
    expect(requirements(text, 'M')).toEqual(['T <= 1024']);
  });

  it('a recursion is checked under its own signature', () => {
    const checked = checkText(designed.find((d) => d.name === 'unet.nn')!.text);
    const unet = checked.result.signatures.get(callable(checked, 'UNet'))!;
    expect(formatType(unet.result!)).toBe('float[B, width, H, W]');
  });

  it('names, and where they come from', () => {
    const text = `fn f(x: float[N]) -> float[N] {
  let y = relu(x)
  return y
}`;
    const checked = checkText(text);
    const body = callable(checked, 'f').body.statements;
    const of = (s: Statement | undefined): Expr => (s as { value: Expr }).value;
    const use = checked.result.references.get(of(body[1]));
    expect(use?.kind === 'local' && use.binding.span).toEqual((body[0] as { name: { span: object } }).name.span);
    const call = of(body[0]);
    const relu = call.kind === 'call' ? checked.result.references.get(call.callee) : undefined;
    expect(relu?.kind === 'definition' && relu.definition.module.path).toBe('nnc:activations.nn');
  });

  it('imports are checked in their own module', () => {
    const files = {
      'part.nn': 'const width = 8\nblock Part(x: float[B, width]) -> float[B, width] { x |> Linear(width) }',
    };
    const right = 'import Part from "./part.nn"\nmodel M(x: float[B, 8]) -> float[B, 8] { x |> Part }';
    expect(places(checkText(right, { files }))).toEqual([]);
    const wrong = 'import Part from "./part.nn"\nconst width = 8\nmodel M(x: float[B, 9]) -> float[B, 8] { x |> Part }';
    expect(places(checkText(wrong, { files }))).toEqual(['NN101 3']);
  });

  it('a constant is its value next to a literal, and never another constant', () => {
    const of = (result: string): string[] =>
      places(checkText(`const a = 8, b = 8, c = 2 * a\nblock M(x: float[B, a]) -> float[B, ${result}] { x }`));
    expect(of('a')).toEqual([]);
    expect(of('8')).toEqual([]);
    expect(of('c / 2')).toEqual([]);
    expect(of('b')).toEqual(['NN109 2']);
    expect(of('9')).toEqual(['NN109 2']);
  });

  it('each fix makes its problem go away', () => {
    const text = `model M(x: float[B, 8]) -> float[B, 4] { x |> Liner(4, bias: false) }`;
    const checked = checkText(text);
    const [fix] = checked.problems[0]!.fixes;
    expect(places(checkText(applyEdits(text, fix!, checked.program.entry.ast.file)))).toEqual([]);
    // No fix is offered where the nearest name does not help.
    expect(checkText(`fn f(x: float[N], xs: i32[N]) -> float[N] = x + xss[3]`).problems[0]!.fixes).toEqual([]);
  });

  it('an unused library is not checked, a used part once', () => {
    const { result } = checkText('model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4) }');
    expect([...result.bodyChecks].map(([c, n]) => [c.name.text, n])).toEqual([
      ['M', 1],
      ['Linear', 1],
    ]);
  });

  it('every code has an explanation', () => {
    for (const code of codes) expect(explain(code)).toMatch(new RegExp(`^${code}: .+\n\n.+`));
    expect(explain('NN000')).toBeNull();
    expect(explain('toString')).toBeNull();
  });
});
