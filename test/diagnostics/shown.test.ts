/**
 * The files and commands that pages show are run: the wrong way has the report, with the exit code of its severity, and the mended way has it not and
 * succeeds. What is reported is kept as a golden, so that the wording is read as a person meets it.
 */
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { shown } from '../../cli/shown/index.ts';
import type { ShownStep } from '../../cli/shown/shown.ts';
import { nnc } from '../cli/support.ts';
import { nullGpu, skipLoudly } from '../targets/wgsl/gpu.ts';

const { gpu, reason } = await nullGpu();
if (gpu === null) skipLoudly('pages about GPUs are not tried', reason);

const folders: string[] = [];
afterAll(() => folders.forEach((f) => rmSync(f, { recursive: true, force: true })));

const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>;

/** A module of a page: imports are looked up here, the rest is run as it is. */
async function runScript(folder: string, name: string): Promise<string> {
  const body = readFileSync(join(folder, name), 'utf8').replace(
    /^import \{ (\w+) \} from '([^']+)';$/gm,
    (_, what: string, from: string) => `const { ${what} } = await load('${from}');`,
  );
  const load = (from: string): Promise<unknown> =>
    from === 'webgpu'
      ? Promise.resolve({ create: () => gpu })
      : import(/* @vite-ignore */ `${pathToFileURL(join(folder, from)).href}?${folder}`);
  try {
    await new AsyncFunction('load', body)(load);
    return '';
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

/** Runs all commands; gives what the last one reported, and whether it succeeded. */
async function follow(files: ShownStep['files'], step: ShownStep): Promise<{ said: string; code: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'nnc-'));
  folders.push(folder);
  for (const [name, file] of Object.entries({ ...files, ...step.files }))
    writeFileSync(join(folder, name), typeof file === 'string' ? file : Buffer.from(file.base64, 'base64'));
  let said = '';
  let code = 0;
  for (const [k, command] of step.commands.entries()) {
    const [tool, ...args] = command.split(' ');
    const expanded = args.flatMap((a) => (a === 'train.*' ? Object.keys(step.files ?? {}) : [a]));
    if (tool === 'node') {
      said = await runScript(folder, expanded[0]!);
      code = said === '' ? 0 : 1;
    } else {
      const outcome = await nnc(folder, expanded, { columns: 400 }); // no line is broken at a place that depends on the folder
      // `nnc check` reports on the output, all others beside it.
      said = args[0] === 'check' ? outcome.out : outcome.err;
      code = outcome.code;
    }
    // What leads to the point has to succeed.
    if (k < step.commands.length - 1) expect(`${command}: ${code} ${said}`).toMatch(/: 0 /);
  }
  return { said: said.replaceAll(folder, '<here>'), code };
}

describe('pages with files and commands', () => {
  for (const [code, page] of Object.entries(shown)) {
    if ('none' in page) continue;
    const needsGpu = JSON.stringify(page).includes("'webgpu'");
    it.skipIf(needsGpu && gpu === null)(code, async () => {
      const wrong = await follow(page.files, page.wrong);
      expect(wrong.said).toMatch(new RegExp(`\\b${code}\\b`));
      const severe = !new RegExp(`^(warning|note)\\[${code}\\]`, 'm').test(wrong.said);
      expect(wrong.code !== 0).toBe(severe);
      await expect(wrong.said).toMatchFileSnapshot(`golden/shown/${code}.txt`);
      const mended = await follow(page.files, page.mended);
      expect(mended.said).not.toContain(code);
      expect(mended.code).toBe(0);
    });
  }
});
