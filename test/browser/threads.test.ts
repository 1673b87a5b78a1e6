/**
 * Threads in a page: isolated across origins (COOP and COEP), a WebAssembly module takes a worker along and computes the same bits as alone, on a main
 * thread that may not sleep; without those headers it says nothing and stays alone. Skipped, loudly, where there is no Chromium.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { chromium, launchBrowser } from '../support/browser.ts';

const SOURCE = `
model Net(x: float[B, 256]) -> float[B, 8] { return x |> a: Linear(512) |> relu |> b: Linear(256) |> relu |> c: Linear(8) }
train Fit {
  input x: float[B, 256]
  minimize mean(Net(x) ^ 2)
  optimizer Adam(lr: 1e-3)
  batch B = 64
}
`;

const PAGE = `<!doctype html><meta charset="utf-8"><script type="module">
  try {
    const { Fit } = await import('/fit.js');
    const x = Float32Array.from({ length: 64 * 256 }, (_, k) => ((k * 37) % 101) / 101 - 0.5);
    const one = Fit.create({ seed: 5 });
    const two = Fit.create({ seed: 5, threads: 2 });
    const memory = two.machine.memory.views[0].buffer;
    const shared = typeof SharedArrayBuffer !== 'undefined' && memory instanceof SharedArrayBuffer;
    const before = [one.step({ x }).loss, two.step({ x }).loss];
    if (shared) while (Atomics.load(new Int32Array(memory, 1088, 1), 0) === 0) await new Promise((r) => setTimeout(r, 10));
    const losses = [[], []];
    for (let k = 0; k < 30; k++) [one, two].forEach((net, n) => losses[n].push(net.step({ x }).loss));
    two.close();
    window.result = { isolated: crossOriginIsolated, shared, before, losses, closed: [one.step({ x }).loss, two.step({ x }).loss] };
  } catch (error) {
    window.result = { error: String(error.stack ?? error) };
  }
</script>`;

interface PageResult {
  readonly error?: string;
  readonly isolated: boolean;
  readonly shared: boolean;
  readonly before: number[];
  readonly losses: [number[], number[]];
  readonly closed: number[];
}

describe.skipIf(chromium === undefined)('in Chromium', () => {
  let server: Server;
  let browser: Browser | undefined;

  beforeAll(async () => {
    // As it is shipped.
    const code = compile(SOURCE, { only: 'Fit', targets: ['wasm'], packed: true })
      .artifacts.get('Fit')!
      .modules.get('wasm')!.javascript;
    expect(code).toContain('unpacked(');
    server = createServer((request, response) => {
      if (request.url !== '/alone') {
        response.setHeader('cross-origin-opener-policy', 'same-origin');
        response.setHeader('cross-origin-embedder-policy', 'require-corp');
      }
      if (request.url === '/fit.js') response.setHeader('content-type', 'text/javascript').end(code);
      else response.setHeader('content-type', 'text/html').end(PAGE);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await launchBrowser();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['isolated', '/', true],
    ['not isolated', '/alone', false],
  ])(
    '%s',
    async (_, path, shared) => {
      const page = await browser!.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
      const handle = await page.waitForFunction('window.result', undefined, { timeout: 100_000 });
      const found = (await handle.jsonValue()) as PageResult;
      expect(found.error).toBeUndefined();
      expect(found.isolated).toBe(shared);
      expect(found.shared).toBe(shared);
      expect(found.before[1]).toBe(found.before[0]);
      expect(found.losses[1]).toEqual(found.losses[0]);
      expect(found.losses[0].at(-1)).toBeLessThan(found.losses[0][0]!);
      expect(found.closed[1]).toBe(found.closed[0]);
    },
    120_000,
  );
});
