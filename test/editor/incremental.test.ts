/**
 * What an editor keeps between keystrokes never shows: after every edit of a random sequence, reports, fixes, types and the meaning of every name
 * are those of a check from scratch.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { check } from '../../compiler/check/check.ts';
import { Kept } from '../../compiler/check/kept.ts';
import { loadProgram, type Loaded } from '../../compiler/check/program.ts';
import { formatType } from '../../compiler/check/types.ts';
import { report } from '../../compiler/diagnostics/render/index.ts';
import { diagnose } from '../../compiler/lint/lint.ts';
import { library } from '../../compiler/library.generated.ts';
import { indexNames } from '../../editor/features/names.ts';
import type { Expr, Span } from '../../grammar/ast.ts';
import { PlacedSpan } from '../../grammar/place.ts';
import { root } from './client.ts';

/** Everything that an editor could show of a program, as text. */
function shown({ program, problems }: Loaded, fixes: boolean): string[] {
  const result = check(program, { fixes });
  const plain = (key: string, value: unknown): unknown =>
    value instanceof PlacedSpan ? value.toJSON() : key === 'cause' ? undefined : value;
  const lines = [...problems, ...diagnose(program, result, { fixes })]
    .map((p) => JSON.stringify([report(p), p.data], plain))
    .sort();
  const place = (s: Span): string => `${program.sources.get(s.file).path}:${s.start}-${s.end}`;
  const types: string[] = [];
  for (const [node, type] of result.types as ReadonlyMap<Expr, Parameters<typeof formatType>[0]>)
    if (!program.sources.get(node.span.file).library)
      types.push(`${place(node.span)} ${node.kind} ${formatType(type)}`);
  for (const [d, s] of result.signatures)
    if (!program.sources.get(d.span.file).library)
      types.push(
        `${place(d.span)} -> ${s.result === null ? 'nothing' : formatType(s.result)} ${s.requirements.length}`,
      );
  for (const [d, t] of result.trains)
    types.push(`${place(d.span)} ${[...t.inputs.keys()].join()} ${t.requirements.length}`);
  const names: string[] = [];
  for (const symbol of indexNames(program, result).symbols.values())
    if (symbol.place !== null && !program.sources.get(symbol.place.file).library)
      names.push(
        `${symbol.kind} ${symbol.name} ${place(symbol.place)}: ${indexNames(program, result)
          .of(symbol)
          .map((o) => place(o.span))
          .sort()
          .join()}`,
      );
  return [...lines, ...types.sort(), ...names.sort()];
}

const read = (name: string): string => readFileSync(join(root, 'examples', name), 'utf8');

const small = `import scaled, Deep as Renamed from "./other.nn"
const width = 8
const twice = 2 * width

// How to narrow.
fn half(x: float[N, 2 * K]) -> float[N, K] {
  let y[n, k: K] = x[n, 2 * k] + x[n, 2 * k + 1]
  return y
}

fn soft(x: float[B, C]) = softmax(x)

/// Two layers.
block Two(hidden: int)(x: float[B, D]) -> float[B, D] {
  require hidden % 2 == 0, "even"
  let h = x |> Linear(hidden) |> relu |> half |> scaled(by: 3)
  return h |> Linear(D)
}

model Net(x: float[B, 6]) -> float[B, 4] { return x |> Two(twice) |> Renamed(2) |> out: Linear(4) }
model Free(x: float[B, D]) -> float[B, D] { return x |> Linear(D) }

train Fit {
  input x: float[B, 6]
  input y: i32[B] < 4
  let wide = Free(x)
  minimize cross_entropy(Net(wide) |> soft, y)
  metric m = mean(Net(x))
  optimizer Adam(lr: 1e-3) for "out.*"
  optimizer SGD()
  batch B = 32
}
train Again {
  input x: float[B, 5]
  minimize mean(Free(x) ^ 2)
  optimizer SGD()
  batch B = 4
}
`;
const other = `import half from "./main.nn"
fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x

block Deep(n: int)(x: float[B, D]) -> float[B, D] {
  if n > 0 { return x |> Linear(D) |> Deep(n - 1) }
  return x
}
`;

interface Edit {
  readonly at: number;
  readonly length: number;
  readonly insert: string;
  readonly where: number;
  readonly undo: boolean;
}
const edits = (n: number): fc.Arbitrary<Edit[]> =>
  fc.array(
    fc.record({
      at: fc.nat(100_000),
      length: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(3) }, fc.nat(60)),
      insert: fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom('', 'x', '2', ' ', '\n', 'D', 'B') },
        fc.constantFrom(
          '(',
          ')',
          '[',
          ']',
          '{',
          '}',
          '}\n',
          ' |> relu',
          ' |> softmax',
          '// note\n',
          '\n\nfn extra(x: float[N]) -> float[N] = x\n\n',
          '\nmodel ',
          '\nconst width = 4\n',
          ' let z = x\n',
          '"',
          '#',
          'é',
          '\nfn half(x: float[N]) = Two\n',
          'Two(2)',
          'twice',
          'Net',
        ),
      ),
      where: fc.nat(5),
      undo: fc.boolean(),
    }),
    { minLength: n, maxLength: n },
  );

function compare(start: Readonly<Record<string, string>>, sequence: readonly Edit[], fixesEvery: number): void {
  const texts: Record<string, string> = { ...start };
  const host = { read: (path: string): string | null => texts[path] ?? null };
  const kept = new Kept();
  const paths = Object.keys(start);
  for (const [k, e] of sequence.entries()) {
    const path = paths[e.where < paths.length - 1 ? e.where + 1 : 0]!;
    const before = texts[path]!;
    const at = e.at % (before.length + 1);
    texts[path] = before.slice(0, at) + e.insert + before.slice(at + e.length);
    const fixes = k % fixesEvery === fixesEvery - 1;
    const incremental = shown(loadProgram('main.nn', texts['main.nn']!, host, library, {}, kept), fixes);
    const scratch = shown(loadProgram('main.nn', texts['main.nn']!, host, library), fixes);
    if (incremental.join('\n') !== scratch.join('\n'))
      expect({ incremental, texts: { ...texts }, edit: k }).toEqual({ incremental: scratch, texts, edit: k });
    // Damage that adds up would leave nothing to check.
    if (e.undo || k % 7 === 6) texts[path] = before;
    if (k % 21 === 20) Object.assign(texts, start);
  }
}

it('two small files: nothing differs after any edit', () => {
  fc.assert(
    fc.property(edits(20), (sequence) => compare({ 'main.nn': small, 'other.nn': other }, sequence, 10)),
    { numRuns: Number(process.env['RUNS'] ?? 8), seed: Number(process.env['SEED'] ?? 5) },
  );
});

it('the Transformer of the examples: nothing differs after any edit', () => {
  fc.assert(
    fc.property(edits(20), (sequence) => compare({ 'main.nn': read('phonemes.nn') }, sequence, 20)),
    { numRuns: 1, seed: 11 },
  );
});

it('blocks that call one another in a circle', () => {
  const start = `block A(n: int)(x: float[B, D]) -> float[B, D] {
  if n > 0 { return x |> B2(n - 1) }
  return x
}
block B2(n: int)(x: float[B, D]) -> float[B, D] {
  if n > 0 { return x |> A(n - 1) |> Linear(D) }
  return x
}
const a = b + 1
const b = 3
model M(x: float[N, 4]) -> float[N, 4] { return x |> A(2) |> B2(a) }
`;
  const kept = new Kept();
  const state = { text: start };
  const host = { read: (): null => null };
  const both = (text: string): void => {
    state.text = text;
    const incremental = shown(loadProgram('main.nn', text, host, library, {}, kept), false);
    expect(incremental).toEqual(shown(loadProgram('main.nn', text, host, library), false));
  };
  both(start);
  both(start.replace('x |> A(n - 1) |> Linear(D)', 'x'));
  both(start);
  both(start.replace('const b = 3', 'const b = a'));
  both(start.replace('const b = 3', 'const b = 5'));
  both(start.replace('block A(n: int)', 'block  A(n: int)'));
  both(start.replace('x |> B2(n - 1)', 'x'));
  both(start);
});
