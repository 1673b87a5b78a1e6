/**
 * The page of examples/web in a real browser with WebGPU on a software driver: it trains and recognises a drawn digit on every target, in a worker and in the page itself, takes
 * training along from one target to the next, and goes on with another device when one is lost. And the emitted module by itself, without a bundler.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { headers } from '../../examples/web/vite.config.ts';
import { chromium, launchBrowser } from '../support/browser.ts';

const web = join(import.meta.dirname, '../../examples/web');
const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

describe.skipIf(chromium === undefined)('examples/web in Chromium', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'nnc-web-'));
  let server: Server;
  let browser: Browser;
  let address = '';
  const extra = new Map<string, string>();

  beforeAll(async () => {
    await build({ configFile: join(web, 'vite.config.ts'), logLevel: 'error', build: { outDir: folder } });
    const source = readFileSync(join(web, '../digits.nn'), 'utf8');
    const artifact = compile(source, { path: 'digits.nn', only: 'Fit', targets: ['auto'] }).artifacts.get('Fit')!;
    extra.set('/plain/index.html', readFileSync(join(web, 'plain/index.html'), 'utf8'));
    extra.set('/plain/Fit.js', artifact.modules.get('auto')!.javascript);
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url!, 'http://page');
      const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
      try {
        const content = extra.get(path) ?? readFileSync(join(folder, path));
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
        response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream').end(content);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchBrowser({ webgpu: true });
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(path: string): Promise<{ page: Page; errors: string[] }> {
    const page = await browser.newPage({ viewport: { width: 1480, height: 820 } });
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    await page.goto(`${address}${path}`);
    return { page, errors };
  }

  const until = async (page: Page, condition: string): Promise<void> => {
    await page.waitForFunction(condition, undefined, { timeout: 60_000 });
  };
  const reach = (page: Page, step: number, target: string): Promise<void> =>
    until(page, `Number(document.body.dataset.step) >= ${step} && document.body.dataset.target === '${target}'`);
  const shows = (page: Page, id: string, text: string): Promise<void> =>
    until(page, `document.querySelector('#${id}').textContent.includes('${text}')`);

  /** A one: a stroke from top to bottom. */
  async function draw(page: Page): Promise<void> {
    const box = (await page.locator('#pad').boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + box.height * 0.15);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height * 0.85, { steps: 8 });
    await page.mouse.up();
  }

  it('trains on WebGPU, loses the device, goes on, and hands over to wasm and JavaScript', async () => {
    const { page, errors } = await open('/');
    await reach(page, 0, 'wgsl');
    await draw(page);
    await page.click('#run');
    await reach(page, 24, 'wgsl');
    await page.click('#lose');
    await shows(page, 'note', 'goes on from the checkpoint');
    expect(await page.textContent('#note')).toMatch(/The GPU was lost at step \d+; another one goes on/);
    await reach(page, 44, 'wgsl');
    await page.click('[data-target=wasm]');
    await page.click('#slow');
    await reach(page, 300, 'wasm');
    await page.click('[data-target=ts]');
    await reach(page, 600, 'ts');
    await page.click('#run');
    await shows(page, 'run', 'Train');
    expect(Number(await page.evaluate('document.body.dataset.accuracy'))).toBeGreaterThan(0.94);
    expect(await page.textContent('#bars .best span')).toBe('1');
    expect(errors).toEqual([]);
    await page.close();
  });

  it('shows what is wrong with an edited program, and trains on with the old one', async () => {
    const { page, errors } = await open('/?page&target=wasm');
    await reach(page, 0, 'wasm');
    const source = page.locator('#source');
    const good = await source.inputValue();
    await source.fill(good.replace('out: Linear(10)', 'out: Linear(12)'));
    await shows(page, 'reports', 'NN109');
    await page.click('#run');
    await reach(page, 22, 'wasm');
    await source.fill(good.replace('hidden: Linear(64)', 'hidden: Linear(32)'));
    await shows(page, 'compiled', '2,410 parameters');
    expect(await page.textContent('#reports')).toBe('');
    expect(errors).toEqual([]);
    await page.close();
  });

  it('the emitted module needs no bundler', async () => {
    const { page, errors } = await open('/plain/');
    await shows(page, 'out', ': ');
    const text = (await page.textContent('#out'))!;
    expect(text).toMatch(/^wgsl: /);
    const losses = text.slice(6).split(' ').map(Number);
    expect(losses.length).toBe(4);
    expect(losses[3]!).toBeLessThan(losses[0]!);
    expect(errors).toEqual([]);
    await page.close();
  });
});
