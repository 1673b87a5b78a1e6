/** The plugin through Prettier itself, the command and the protocol: what it keeps, what it aligns, what it leaves alone. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, format, type Options } from 'prettier';
import { describe, expect, it } from 'vitest';
import { formatChange, formatRange } from '../../editor/prettier-plugin/format.ts';
import * as plugin from '../../editor/prettier-plugin/index.ts';
import { parse } from '../../grammar/parse.ts';
import { bare, mutilate, randomFrom } from '../grammar/support.ts';
import { folder, nnc } from '../cli/support.ts';
import { root } from './client.ts';

const nn = (text: string, options: Options = {}): Promise<string> =>
  format(text, { filepath: 'some.nn', plugins: [plugin], ...options });
const files = ['library', 'examples', 'test/fixtures'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.nn'))
    .map((name) => ({ name: join(folder, name), text: readFileSync(join(root, folder, name), 'utf8') })),
);

/** Formatting keeps the tree and every comment, and is done after once. */
async function kept(text: string, options: Options = {}): Promise<string> {
  const before = parse({ id: 0, text });
  const once = await nn(text, options);
  const after = parse({ id: 0, text: once });
  expect(after.problems).toEqual([]);
  expect(bare(after.module.declarations)).toEqual(bare(before.module.declarations));
  const words = (p: typeof before): string[] => p.module.comments.map((c) => c.text.replace(/^\/+\s*/, '')).sort();
  expect(words(after)).toEqual(words(before));
  expect(await nn(once, options)).toBe(once);
  return once;
}

describe('all programs of the project', () => {
  it('keep their tree and their comments, at any width', async () => {
    expect(files.length).toBeGreaterThan(25);
    for (const { text } of files) for (const printWidth of [40, 80, 120]) await kept(text, { printWidth });
  });

  it('also with tokens deleted, doubled and swapped, where they still parse; else Prettier says where not', async () => {
    const random = randomFrom(77);
    let clean = 0;
    for (let k = 0; k < 150; k++) {
      const text = mutilate(files[k % files.length]!.text, random);
      const { problems } = parse({ id: 0, text });
      if (problems.length === 0) {
        clean++;
        await kept(text);
      } else
        await expect(nn(text)).rejects.toMatchObject({
          name: 'SyntaxError',
          message: expect.stringContaining(problems[0]!.code) as unknown,
          loc: { start: { line: expect.any(Number) as unknown } },
        });
    }
    expect(clean).toBeGreaterThan(8);
  });
});

describe('form', () => {
  it('brings the `=` of consecutive index equations into one column', async () => {
    const text = `block Attend(q: float[B, H, T, E], k: float[B, H, S, E], v: float[B, H, S, E]) -> float[B, T, H * E] {
  let score[b,h,t,s] = sum[e] q[b,h,t,e] * k[b,h,s,e] / sqrt(E)
  let weight[b,h,t,s] = softmax[s] score[b,h,t,s]
  let z[b,t,(h e)] = sum[s] weight[b,h,t,s] * v[b,h,s,e]
  let plain = z
  let a[b] = 1

  let longer[b] = 2
  // apart
  let much_longer_than_this[b] = 3
  let c[b] = 4
  return z
}
`;
    expect(await kept(text))
      .toBe(`block Attend(q: float[B, H, T, E], k: float[B, H, S, E], v: float[B, H, S, E]) -> float[B, T, H * E] {
  let score[b, h, t, s]  = sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)
  let weight[b, h, t, s] = softmax[s] score[b, h, t, s]
  let z[b, t, (h e)]     = sum[s] weight[b, h, t, s] * v[b, h, s, e]
  let plain = z
  let a[b] = 1

  let longer[b] = 2
  // apart
  let much_longer_than_this[b] = 3
  let c[b] = 4
  return z
}
`);
  });

  it('puts a long result on a line of its own before it breaks the list of parameters', async () => {
    const text =
      'fn f(x: float[B, C, H, W], kernel: int, stride: int) -> float[B, C, floor((H - kernel) / stride) + 1, W] = g(x)\n';
    expect(await kept(text, { printWidth: 100 })).toBe(
      'fn f(x: float[B, C, H, W], kernel: int, stride: int)\n  -> float[B, C, floor((H - kernel) / stride) + 1, W] = g(x)\n',
    );
    expect(await kept(text, { printWidth: 50 })).toContain('  stride: int\n) -> float[\n  B,\n  C,\n');
    expect(await nn('const a = -(2 ^ b)\n')).toBe('const a = -(2 ^ b)\n');
  });

  it('breaks at the width it is given', async () => {
    const text = 'fn f(first: float[B, D], second: float[B, D]) -> float[B, D] = first * second + second * first\n';
    expect(await nn(text)).toBe(text);
    const narrow = await kept(text, { printWidth: 40 });
    for (const line of narrow.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
  });

  it('leaves alone what follows `// prettier-ignore`', async () => {
    const text = `// prettier-ignore
fn table(x: float[B])   -> float[B] = x *   2 // as written

model M(x: float[B]) -> float[B] {
  let a   = x
  // prettier-ignore
  let eye = scan n   in 4 {
      // inside
      yield   x
  }
  let b   = a
  return b
}
`;
    const formatted = await kept(text);
    expect(formatted).toContain('fn table(x: float[B])   -> float[B] = x *   2 // as written\n');
    expect(formatted).toContain('  let eye = scan n   in 4 {\n      // inside\n      yield   x\n  }\n');
    expect(formatted).toContain('  let a = x\n');
    expect(formatted).toContain('  let b = a\n');
  });

  it('keeps line ends where asked, and writes and reads the pragma', async () => {
    expect(await nn('const a=1\r\nconst b=2\r\n', { endOfLine: 'auto' })).toBe('const a = 1\r\nconst b = 2\r\n');
    expect(await nn('const a=1\n', { insertPragma: true })).toBe('// @format\n\nconst a = 1\n');
    expect(await nn('const a=1\n', { requirePragma: true })).toBe('const a=1\n');
    expect(await check('const a = 1\n', { filepath: 'x.nn', plugins: [plugin] })).toBe(true);
    expect(await nn('')).toBe('');
  });

  it('formats `nn` blocks of Markdown', async () => {
    const text = '# Title\n\n```nn\nconst a=1\n```\n';
    expect(await format(text, { filepath: 'x.md', plugins: [plugin] })).toBe('# Title\n\n```nn\nconst a = 1\n```\n');
  });
});

describe('ranges', () => {
  const text = 'const a   = 1\n\n// note\nfn f(x: float)   = x\n\n\nfn   g(x: float) = x\n';
  it('formats the declarations that it touches', async () => {
    const at = text.indexOf('fn f');
    const change = (await formatRange(text, at, at + 3))!;
    expect(text.slice(0, change.start) + change.text + text.slice(change.end)).toBe(
      'const a   = 1\n\n// note\nfn f(x: float) = x\n\n\nfn   g(x: float) = x\n',
    );
    expect(await formatRange(text, 0, text.length)).not.toBeNull();
  });
  it('changes nothing where nothing is to be changed', async () => {
    expect(await formatChange('const a = 1\n')).toBeNull();
    expect(await formatRange('const a = 1\n\nconst b=1\n', 0, 3)).toBeNull();
  });
});

it('`nnc fmt` takes width and line ends from the configuration beside the file', async () => {
  const text = 'fn f(first: float[B, D], second: float[B, D]) -> float[B, D] = first * second\n';
  const place = folder({ 'a.nn': text, 'bad.nn': 'fn f( = \n' });
  expect((await nnc(place, ['fmt', '--check', 'a.nn'])).code).toBe(0);
  writeFileSync(join(place, '.prettierrc'), '{ "printWidth": 40 }');
  const outcome = await nnc(place, ['fmt', 'bad.nn', 'a.nn']);
  expect(outcome.code).toBe(1);
  expect(outcome.out).toContain('a.nn formatted');
  const written = readFileSync(join(place, 'a.nn'), 'utf8');
  expect(written).not.toBe(text);
  for (const line of written.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
  expect(readFileSync(join(place, 'bad.nn'), 'utf8')).toBe('fn f( = \n');
});

it('bundles as a package of its own', () => {
  execFileSync(process.execPath, [
    join(root, 'editor/prettier-plugin/package.mjs'),
    join(root, 'node_modules/.nnc-plugin'),
  ]);
  const script = `import { format } from 'prettier'; process.stdout.write(await format('const a=1', { parser: 'nn', plugins: ['./node_modules/.nnc-plugin/index.mjs'] }))`;
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8' });
  rmSync(join(root, 'node_modules/.nnc-plugin'), { recursive: true });
  expect(out).toBe('const a = 1\n');
});
