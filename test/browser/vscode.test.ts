/**
 * The extension in a real VS Code: packed, installed by VS Code itself, and used through its workbench in Chromium as a person would. Typing a mistake marks it,
 * its fix mends it; hints, lenses, colours, hover, explanation, definition, rename, formatting and mending on saving are there. `.ci/vscode.sh FOLDER` gets one from
 * npm and prints where it is (`NNC_VSCODE`); without it this is skipped, loudly. `SCREENSHOTS=FOLDER` keeps pictures. What it is not: a test of the server's
 * answers (test/editor); and no terminal, whose native module is not built there.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromium, launchBrowser } from '../support/browser.ts';

const root = join(import.meta.dirname, '../..');
const installed = process.env['NNC_VSCODE'];
if (installed === undefined) console.warn('SKIPPED: no VS Code (NNC_VSCODE), so the extension is not tried in it');

/** Of the page: the tests are compiled without the types of one. */
interface Styles {
  getComputedStyle(of: unknown): { readonly color: string };
}

/** What a person would set; the rest keeps the workbench quiet. */
const settings = {
  'editor.codeActionsOnSave': { 'source.fixAll': 'explicit' },
  'editor.defaultFormatter': 'nnc.nn-language',
  'editor.minimap.enabled': false,
  'files.autoSave': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
};

describe.skipIf(chromium === undefined || installed === undefined)(
  'the extension in VS Code',
  { timeout: 180_000 },
  () => {
    let server: ChildProcess;
    let browser: Browser;
    let page: Page;
    let folder: string;
    const file = (): string => readFileSync(join(folder, 'digits.nn'), 'utf8');

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'nnc-vscode-'));
      mkdirSync(join(folder, '.vscode'));
      writeFileSync(join(folder, '.vscode/settings.json'), JSON.stringify(settings));
      copyFileSync(join(root, 'examples/digits.nn'), join(folder, 'digits.nn'));
      server = spawn(
        process.execPath,
        [
          join(installed!, 'package/lib/vscode/out/server-main.js'),
          ...['--host', '127.0.0.1', '--port', '0', '--without-connection-token', '--accept-server-license-terms'],
          ...['--telemetry-level', 'off', '--server-data-dir', join(installed!, 'data')],
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      const port = await new Promise<string>((resolve, reject) => {
        let said = '';
        server.stdout!.on('data', (data: Buffer) => {
          said += data.toString();
          const found = /listening on (\d+)/.exec(said);
          if (found !== null) resolve(found[1]!);
        });
        server.once('exit', () => reject(new Error(`VS Code did not start: ${said}`)));
      });
      browser = await launchBrowser();
      page = await browser.newPage({ viewport: { width: 1200, height: 820 } });
      page.setDefaultTimeout(60_000);
      await page.goto(`http://127.0.0.1:${port}/?folder=${folder}`);
      await page.getByText('Yes, I trust the authors').click({ timeout: 150_000 });
      await page.locator('.explorer-viewlet').getByText('digits.nn').dblclick();
      await page.locator('.codelens-decoration', { hasText: 'parameters' }).first().waitFor({ timeout: 60_000 });
    }, 360_000);

    afterAll(async () => {
      await browser?.close();
      server?.kill();
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    const picture = async (name: string): Promise<void> => {
      const pictures = process.env['SCREENSHOTS'];
      if (pictures !== undefined) await page.screenshot({ path: join(pictures, `vscode-${name}.png`) });
    };
    /** Puts the cursor before or behind the first occurrence of a piece of the saved text. */
    const put = async (piece: string, behind = false): Promise<void> => {
      const at = file().indexOf(piece);
      expect(at, piece).toBeGreaterThanOrEqual(0);
      const lines = file()
        .slice(0, at + (behind ? piece.length : 0))
        .split('\n');
      await page.keyboard.press('Control+g');
      await page.locator('.quick-input-widget input').fill(`:${lines.length}:${lines.at(-1)!.length + 1}`);
      await page.keyboard.press('Enter');
    };
    const save = async (wanted: (text: string) => boolean): Promise<void> => {
      await page.keyboard.press('Control+s');
      await expect.poll(() => wanted(file()), { timeout: 60_000 }).toBe(true);
    };
    const back = async (): Promise<void> => {
      await page.locator('.explorer-viewlet').getByText('digits.nn').dblclick();
      await page.locator('.tab.active', { hasText: 'digits.nn' }).waitFor();
    };
    /** A word of the text: a piece of a line that is coloured as one. */
    const word = (line: string, text: string): Locator =>
      page.locator('.view-line', { hasText: line }).locator('span > span').getByText(text, { exact: true });
    const problems = async (errors: number): Promise<void> => {
      const wanted = errors === 0 ? /^No Problems/ : new RegExp(`Errors: ${errors}`);
      const label = page.locator('#status\\.problems');
      await expect.poll(() => label.getAttribute('aria-label'), { timeout: 60_000 }).toMatch(wanted);
    };

    it('shows types behind statements, and counts above models and train blocks', async () => {
      await page.locator('.view-line', { hasText: /let\slogits.*float\[B,\s10\]/ }).waitFor({ timeout: 60_000 });
      const lenses = await page.locator('.codelens-decoration').allTextContents();
      expect(lenses.join('\n')).toMatch(/4,810 parameters/);
      expect(lenses.join('\n')).toMatch(/Train/);
      await problems(0);
      await picture('1-open');
    });

    it('gives each axis a colour of its own', async () => {
      const colours = (letter: string): Promise<string[]> =>
        word('let x[', letter).evaluateAll((found) =>
          found.map((e) => (globalThis as unknown as Styles).getComputedStyle(e).color),
        );
      await expect.poll(async () => new Set([...(await colours('b')), ...(await colours('i'))]).size).toBe(2);
      const b = await colours('b');
      expect(b.length).toBeGreaterThanOrEqual(2);
      expect(new Set(b).size).toBe(1);
    });

    it('marks a mistake as it is typed, explains it, and mends it', async () => {
      await put('relu', true);
      await page.keyboard.type('u');
      await problems(1);
      await page.locator('.squiggly-error').first().waitFor();
      await put('relu');
      await page.keyboard.press('Control+k');
      await page.keyboard.press('Control+i');
      const hover = page.locator('.monaco-hover:visible');
      await hover.getByText('reluu').first().waitFor();
      await picture('2-mistake');
      await hover.getByText('NN704').first().click();
      await page
        .locator('.view-line', { hasText: 'a name that means nothing here' })
        .first()
        .waitFor({ timeout: 60_000 });
      await picture('3-explanation');
      await back();
      // The menu closes when marks are drawn anew, which they are in a pause of the typing: then it is opened again, as a person would.
      const line = page.locator('.view-line', { hasText: /hidden:\sLinear/ });
      for (let k = 0; k < 8 && /reluu/.test((await line.textContent())!); k++) {
        await page.keyboard.press('Escape');
        await put('relu');
        await page.keyboard.press('Control+.');
        const fix = page.locator('.action-widget .monaco-list-row.focused', { hasText: 'relu' });
        if (
          !(await fix.waitFor({ timeout: 10_000 }).then(
            () => true,
            () => false,
          ))
        )
          continue;
        await picture('4-fixes');
        await page.keyboard.press('Enter');
        await line
          .filter({ hasText: /relu\s/ })
          .waitFor({ timeout: 5000 })
          .catch(() => undefined);
      }
      await problems(0);
    });

    it('tells what a value is', async () => {
      await put('logits = Digits');
      await page.keyboard.press('Control+k');
      await page.keyboard.press('Control+i');
      const hover = page.locator('.monaco-hover:visible');
      await hover.getByText('float[B, 10]').first().waitFor();
      expect(await hover.first().textContent()).toContain('Gradient: flows to it from the loss.');
      await picture('5-hover');
      await page.keyboard.press('Escape');
    });

    it('goes to a definition in the library', async () => {
      await put('Linear(64)');
      await page.keyboard.press('F12');
      await page.locator('.tab.active', { hasText: /^(?!digits).*\.nn/ }).waitFor();
      await page
        .locator('.view-line', { hasText: /block\sLinear/ })
        .first()
        .waitFor();
      await picture('6-definition');
      await back();
    });

    it('renames a value everywhere', async () => {
      await put('logits = Digits');
      await page.keyboard.press('F2');
      const box = page.locator('.rename-box input');
      await box.waitFor();
      await box.fill('scores');
      await page.keyboard.press('Enter');
      await page.locator('.view-line', { hasText: /cross_entropy\(scores/ }).waitFor();
      await save((text) => text.includes('let scores =') && !text.includes('logits'));
      await problems(0);
    });

    it('formats', async () => {
      await put('let scores =', true);
      await page.keyboard.type('     ');
      await page.keyboard.press('F1');
      await page.locator('.quick-input-widget input').fill('>Format Document');
      await page.locator('.quick-input-list').getByText('Format Document', { exact: true }).first().click();
      await page.locator('.view-line', { hasText: /let\sscores\s=\sDigits/ }).waitFor();
      await save((text) => text.includes('let scores = Digits'));
    });

    it('mends on saving what is always right', async () => {
      await put('optimizer Adam');
      await page.keyboard.type('# as in Python');
      await page.keyboard.press('Enter');
      await problems(1);
      await picture('7-as-in-python');
      // On a busy machine VS Code saves without what it was to do first; then the text is touched and saved again.
      const mended = (): boolean => file().includes('// as in Python') && !file().includes('#');
      for (let k = 0; k < 8 && !mended(); k++) {
        if (k > 0) await page.keyboard.type(' ');
        await page.keyboard.press('Control+s');
        await expect
          .poll(mended, { timeout: 6000 })
          .toBe(true)
          .catch(() => undefined);
      }
      expect(mended()).toBe(true);
      await problems(0);
      await picture('8-saved');
    });
  },
);
