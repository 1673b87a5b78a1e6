/**
 * The editor in a real browser: CodeMirror over the language server in a worker. Typing a mistake shows where it is, the offered fix mends it; hints, colours,
 * hover, completion and formatting are there. `SCREENSHOTS=FOLDER` keeps pictures. Skipped, loudly, where there is no Chromium.
 */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build, preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromium, launchBrowser } from '../support/browser.ts';

const root = join(import.meta.dirname, '../../playground');

describe.skipIf(chromium === undefined)('the editor in Chromium', () => {
  let server: PreviewServer;
  let browser: Browser;
  let page: Page;
  const failures: string[] = [];

  beforeAll(async () => {
    await build({ root, configFile: join(root, 'vite.config.ts'), logLevel: 'error' });
    server = await preview({
      root,
      configFile: join(root, 'vite.config.ts'),
      preview: { host: '127.0.0.1', port: 0 },
      logLevel: 'error',
    });
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1100, height: 760 } });
    page.on('pageerror', (e) => failures.push(e.message));
    page.on('console', (m) => {
      if (m.type() === 'error') failures.push(m.text());
    });
    await page.goto(server.resolvedUrls!.local[0]!);
    await page.getByText('No problems.').waitFor({ timeout: 60_000 });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const picture = async (name: string): Promise<void> => {
    const folder = process.env['SCREENSHOTS'];
    if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
  };
  /** Puts the pointer of the text behind a piece of it. */
  const after = async (piece: string): Promise<void> => {
    await page.evaluate(`{
      const wanted = ${JSON.stringify(piece)};
      const line = [...document.querySelectorAll('.cm-line')].find((l) => l.textContent.includes(wanted));
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
      let rest = line.textContent.indexOf(wanted) + wanted.length;
      for (let n = walker.nextNode(); n !== null && rest >= 0; n = walker.nextNode()) {
        if (rest <= n.textContent.length) getSelection().collapse(n, rest);
        rest -= n.textContent.length;
        if (rest <= 0) break;
      }
    }`);
  };
  const text = async (): Promise<string> =>
    String(
      await page.evaluate(`[...document.querySelectorAll('.cm-line')].map((l) => {
        const copy = l.cloneNode(true);
        for (const hint of copy.querySelectorAll('.nn-hint')) hint.remove();
        return copy.textContent;
      }).join('\\n')`),
    );

  it('shows the shape behind each statement, and one colour an axis', async () => {
    const hint = page.locator('.nn-hint').first();
    await hint.waitFor();
    expect(await page.locator('.nn-hint').allTextContents()).toContain('float[B, 64]');
    expect(await page.locator('.nn-nnAxis1').count()).toBeGreaterThan(1);
    await page.selectOption('#hints', 'bytes');
    await page
      .getByText(/float\[64, 64\] 16 KiB/)
      .first()
      .waitFor();
    await page.selectOption('#hints', 'names');
    await picture('1-hints');
  });

  it('a mistake is shown while it is typed, and its fix mends the program', async () => {
    await after('relu');
    await page.keyboard.type('u');
    // While colours are those of the text before, the mark is in pieces.
    const squiggle = page.locator('.cm-lintRange-error');
    await squiggle.filter({ hasText: 'reluu' }).first().waitFor();
    await page.getByText(/1 error/).waitFor();
    await squiggle.first().hover();
    const tooltip = page.locator('.cm-tooltip-lint');
    await tooltip.waitFor();
    expect(await tooltip.textContent()).toContain('reluu');
    await picture('2-mistake');
    await page.locator('.cm-diagnosticAction', { hasText: 'relu' }).first().click();
    await page.getByText('No problems.').waitFor();
    expect(await squiggle.count()).toBe(0);
    expect(await text()).toContain('|> relu |>');
  });

  it('hover tells type, sizes and where they come from', async () => {
    await page.mouse.move(2, 2);
    await page.locator('.cm-line', { hasText: 'let logits' }).getByText('logits').first().hover();
    const tooltip = page.locator('.cm-tooltip-hover');
    await tooltip.getByText('float[B, 10]').first().waitFor();
    expect(await tooltip.first().textContent()).toContain('Gradient: flows to it from the loss.');
    await picture('3-hover');
    await page.mouse.move(2, 2);
  });

  it('completes, and formats', async () => {
    await after('|> relu');
    await page.keyboard.type(' |> drop');
    await page
      .locator('.cm-tooltip-autocomplete')
      .getByText('Dropout')
      .first()
      .waitFor()
      .catch(async () => {
        await page.keyboard.press('Control+Space');
        await page.locator('.cm-tooltip-autocomplete li').first().waitFor();
      });
    await picture('4-completion');
    await page.keyboard.press('Escape');
    for (let k = 0; k < ' |> drop'.length; k++) await page.keyboard.press('Backspace');
    await page.getByText('No problems.').waitFor();
    await after('epochs 30');
    await page.keyboard.type('   ');
    await page.click('#format');
    await expect.poll(text).toContain('epochs 30\n');
  });

  it('the whole Transformer is checked in the worker', async () => {
    await page.selectOption('#example', 'phonemes.nn');
    await page.locator('.nn-hint').first().waitFor();
    await page.getByText('No problems.').waitFor();
    await picture('5-transformer');
    expect(failures).toEqual([]);
  });
});
