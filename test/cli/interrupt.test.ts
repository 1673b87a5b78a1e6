/** Ctrl-C in the real program: built, spawned, and sent a signal. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { folder, program, rows } from './support.ts';

let dist = '';

beforeAll(() => {
  dist = mkdtempSync(join(tmpdir(), 'nnc-dist-'));
  symlinkSync(resolve('node_modules'), join(dist, 'node_modules'), 'junction');
  symlinkSync(resolve('package.json'), join(dist, 'package.json'));
  const tsc = resolve('node_modules/typescript/bin/tsc');
  const flags = [
    '--noCheck',
    '--incremental',
    'false',
    '--declaration',
    'false',
    '--sourceMap',
    'false',
    '--outDir',
    join(dist, 'dist'),
  ];
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...flags]);
}, 60_000);

afterAll(() => rmSync(dist, { recursive: true, force: true }));

/** Trains for very long; `act` is called with the output so far. */
function endless(
  cwd: string,
  act: (out: string, kill: () => void) => void,
): Promise<{ code: number | null; out: string; err: string }> {
  const args = ['train', 'net.nn', '--data', 'rows.csv', '--epochs', '1000000'];
  const child = spawn(process.execPath, [join(dist, 'dist/cli/main.js'), ...args], { cwd });
  let out = '';
  let err = '';
  child.stdout.on('data', (text: Buffer) => {
    out += String(text);
    act(out, () => child.kill('SIGINT'));
  });
  child.stderr.on('data', (text: Buffer) => (err += String(text)));
  return new Promise((done) => child.on('close', (code) => done({ code, out, err })));
}

it('SIGINT finishes the step, saves, writes the report, and exits with 130', async () => {
  const cwd = folder({ 'net.nn': program.replace('  validate(split: 0.2)\n', ''), 'rows.csv': rows() });
  let sent = false;
  const { code, out, err } = await endless(cwd, (text, kill) => {
    if (sent || !/epoch +3\//.test(text)) return;
    sent = true;
    kill();
  });
  expect(err).toBe('');
  expect(code).toBe(130);
  expect(out).toContain('stopping after this step and saving');
  expect(out).toContain('interrupted after');
  expect(readdirSync(join(cwd, 'nnc-out/Fit')).sort()).toEqual([
    'checkpoint.safetensors',
    'report.html',
    'run.json',
    'weights.safetensors',
  ]);
});

it('a program that is called without a terminal prints plain lines', () => {
  const cwd = folder({ 'net.nn': program, 'rows.csv': rows() });
  const main = join(dist, 'dist/cli/main.js');
  const out = execFileSync(process.execPath, [main, 'train', 'net.nn', '--data', 'rows.csv'], {
    cwd,
    encoding: 'utf8',
  });
  expect(out).not.toContain('\x1b');
  expect(out.match(/^epoch \d\/3 /gm)).toHaveLength(3);
  expect(existsSync(join(cwd, 'nnc-out/Fit/weights.safetensors'))).toBe(true);
});
