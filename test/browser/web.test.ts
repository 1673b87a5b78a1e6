/**
 * The page of examples/web in a real browser with WebGPU on a software driver: it trains and recognises a drawn digit on every target, in a worker and in the page itself, takes
 * training along from one target to the next, and goes on with another device when one is lost. And the emitted module by itself, with and without a bundler, in a page and in a worker. `SCREENSHOTS=FOLDER` keeps pictures.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
    const { javascript, declarations } = artifact.modules.get('auto')!;
    for (const name of ['index.html', 'worker.html', 'worker.js'])
      extra.set(`/plain/${name}`, readFileSync(join(web, 'plain', name), 'utf8'));
    extra.set('/plain/Fit.js', javascript);
    await bundled(join(folder, 'vite'), javascript, declarations);
    server = createServer((request, response) => {
      const open = request.url!.startsWith('/open/');
      const { pathname } = new URL(open ? request.url!.slice(5) : request.url!, 'http://page');
      const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
      try {
        const content = extra.get(path) ?? readFileSync(join(folder, path));
        // Under /open/ the page is not isolated, so that WebAssembly has one thread.
        if (!open) for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
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

  const picture = async (page: Page, name: string): Promise<void> => {
    const to = process.env['SCREENSHOTS'];
    if (to !== undefined) await page.screenshot({ path: join(to, `${name}.png`) });
  };

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
    await picture(page, 'web-webgpu');
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

  it('WebAssembly takes all cores of an isolated page, one elsewhere, and as many as it is told to', async () => {
    const { page, errors } = await open('/?page&target=wasm');
    await reach(page, 0, 'wasm');
    const cores = Math.min(8, Number(await page.evaluate('navigator.hardwareConcurrency')));
    expect(cores).toBeGreaterThan(1);
    await until(page, `document.body.dataset.threads === '${cores}'`);
    expect(await page.textContent('#where')).toBe(`WebAssembly, ${cores} threads, in the page`);
    // They are real: workers of the page.
    await expect.poll(() => page.workers().length).toBe(cores - 1);
    await page.click('#slow');
    await page.click('#run');
    await reach(page, 100, 'wasm');
    await picture(page, 'web-threads');
    await page.click('#threads');
    await until(page, `document.body.dataset.threads === '1'`);
    await expect.poll(() => page.workers().length).toBe(0);
    await reach(page, 200, 'wasm');
    expect(errors).toEqual([]);
    await page.close();

    const alone = await open('/open/?page&target=wasm');
    await reach(alone.page, 0, 'wasm');
    expect(await alone.page.evaluate('document.body.dataset.threads')).toBe('1');
    expect(await alone.page.isVisible('#cores')).toBe(false);
    await alone.page.click('#run');
    await reach(alone.page, 10, 'wasm');
    expect(alone.errors).toEqual([]);
    await alone.page.close();
  });

  it.each([
    ['no bundler, in the page', '/plain/'],
    ['no bundler, in a worker', '/plain/worker.html'],
    ['Vite, in the page', '/vite/'],
    ['Vite, in a worker', '/vite/?worker'],
  ])('the emitted module with %s', async (_name, path) => {
    const { page, errors } = await open(path);
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

/** A small project that imports the module in its page and in a worker, built by Vite. */
async function bundled(out: string, javascript: string, declarations: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'nnc-vite-'));
  const files: Readonly<Record<string, string>> = {
    'Fit.js': javascript,
    'Fit.d.ts': declarations,
    'index.html':
      '<link rel="icon" href="data:," /><pre id="out"></pre><script type="module" src="./main.ts"></script>',
    'train.ts': `import { Fit } from './Fit.js';
export async function train(): Promise<string> {
  const net = await Fit.create({ seed: 1 });
  const image = Float32Array.from({ length: 64 * 64 }, (_, k) => (k * 7) % 17);
  const label = Int32Array.from({ length: 64 }, (_, k) => k % 10);
  const losses: number[] = [];
  for (let step = 0; step < 4; step++) losses.push((await net.step({ image, label })).loss);
  return net.target + ': ' + losses.map((l) => l.toFixed(4)).join(' ');
}`,
    'worker.ts': `import { train } from './train.ts';\npostMessage(await train());`,
    'main.ts': `import { train } from './train.ts';
const show = (text: string) => (document.querySelector('#out')!.textContent = text);
if (location.search === '?worker') {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }) => show(data);
} else show(await train());`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  await build({
    root,
    base: './',
    configFile: false,
    logLevel: 'error',
    worker: { format: 'es' },
    build: { target: 'es2023', outDir: out },
  });
  rmSync(root, { recursive: true });
}
