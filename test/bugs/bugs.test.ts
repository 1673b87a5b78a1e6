/** Every bug of the list: what is reported, that the mended program compiles, and that the offered fix gives it. docs/shape-bugs.md counts them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyEdits } from '../../compiler/check/fixes.ts';
import { compile } from '../../compiler/index.ts';
import { lexer } from '../../grammar/tokens.ts';
import { codes, diagnoseText, rendered } from '../lint/support.ts';
import { bugs } from './bugs.ts';

const canonical = (text: string): string =>
  lexer
    .tokenize(text)
    .tokens.map((t) => t.image)
    .join(' ');

describe('bugs that people write', () => {
  it.each(bugs.map((b) => [b.name, b] as const))('%s', async (name, bug) => {
    const found = diagnoseText(bug.wrong);
    expect(codes(found), rendered(found)).toEqual(bug.codes);
    expect(rendered(diagnoseText(bug.mended))).toBe('');
    if (bug.fixed === true) {
      const mended = found.problems[0]!.fixes.map((f) =>
        canonical(applyEdits(bug.wrong, f, found.program.entry.ast.file)),
      );
      expect(mended).toContain(canonical(bug.mended));
    }
    await expect(`${bug.wrong}\n\n${'='.repeat(60)}\n${rendered(found)}`).toMatchFileSnapshot(
      `golden/${name.replace(/[^a-z0-9]+/gi, '-')}.txt`,
    );
  });

  it('what is mended also builds', () => {
    for (const { mended, name } of bugs) {
      const units = /^(?:model|train) /m.test(mended);
      if (!units || /^checkpoint/m.test(mended)) continue;
      const sizes = ['B', 'T'].filter((s) => new RegExp(`[[, ]${s}[,\\]]`).test(mended));
      const { ok, reports } = compile(mended, { bounds: Object.fromEntries(sizes.map((s) => [s, 4])) });
      expect([name, ok, reports.map((r) => r.message)]).toEqual([name, true, []]);
    }
  }, 120_000);
});

describe('bugs of a build', () => {
  const net = 'model M(x: float[B, T, 8]) -> float[B, T, 4] { return x |> Linear(4) }';

  it('a size that nobody knows does not reach the emitted code: it is asked for', () => {
    const { ok, reports } = compile(net);
    expect(ok).toBe(false);
    expect(reports.map((r) => r.code)).toContain('NN520');
    expect(compile(net, { bounds: { B: 4, T: 8 } }).ok).toBe(true);
  });

  it('no kernel for WebGPU binds more buffers than every device has', () => {
    const inputs = Array.from({ length: 14 }, (_, k) => `x${k}: float[B, 8]`).join(', ');
    const sum = Array.from({ length: 14 }, (_, k) => `x${k}`).join(' + ');
    const { artifacts } = compile(`model M(${inputs}) -> float[B, 8] { return tanh(${sum}) }`, {
      bounds: { B: 4 },
      targets: ['wgsl'],
    });
    const code = artifacts.get('M')!.modules.get('wgsl')!.javascript;
    const shaders = code.split('@compute');
    expect(shaders.length).toBeGreaterThan(1);
    for (const shader of shaders) expect([...shader.matchAll(/var<storage/g)].length).toBeLessThanOrEqual(8);
  });
});

it('docs/shape-bugs.md counts what is here', () => {
  const page = readFileSync(new URL('../../docs/shape-bugs.md', import.meta.url), 'utf8');
  const reported = bugs.filter((b) => b.kind === 'reported').length;
  const silent = bugs.filter((b) => b.silent).length;
  expect(page).toContain(`${bugs.length + 2} bugs`);
  expect(page).toContain(`${reported} can be written and are reported`);
  expect(page).toContain(`${bugs.length + 2 - reported} cannot be written`);
  expect(page).toContain(`${silent} of them are silent elsewhere`);
  for (const { name } of bugs) expect(page).toContain(name);
});
