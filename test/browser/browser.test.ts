/**
 * A real browser: the compiler itself, bundled, compiles digits.nn in the page, the emitted module is imported from a blob, trains, and computes what it computes
 * in Node, bit for bit. Skipped, loudly, where there is no Chromium; `.ci/run` installs one where it can.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { chromium, launchBrowser } from '../support/browser.ts';
import { instantiate } from '../support/emitted.ts';

const source = readFileSync('examples/digits.nn', 'utf8');

/** The same inputs on both sides. */
const INPUTS = `
  const image = new Float32Array(64 * 64);
  const label = new Int32Array(64);
  let state = 12345;
  const next = () => (state = (state * 48271) % 2147483647);
  for (let k = 0; k < image.length; k++) image[k] = next() % 17;
  for (let k = 0; k < label.length; k++) label[k] = next() % 10;
`;

const PAGE = `<!doctype html><meta charset="utf-8"><script type="module">
  const send = (value) => fetch('/result', { method: 'POST', body: JSON.stringify(value) });
  try {
    const { compile } = await import('/nnc.js');
    const result = compile(${JSON.stringify(source)}, { path: 'digits.nn', only: 'Fit' });
    const url = URL.createObjectURL(new Blob([result.artifacts.get('Fit').javascript], { type: 'text/javascript' }));
    const { Fit } = await import(url);
    ${INPUTS}
    const net = Fit.create({ seed: 5 });
    const losses = [];
    for (let k = 0; k < 20; k++) losses.push(net.step({ image, label }).loss);
    await send({ losses, accuracy: net.evaluate({ image, label }).accuracy, output: [...net.forward({ image }).output.data.slice(0, 10)] });
  } catch (error) {
    await send({ error: String(error.stack ?? error) });
  }
</script>`;

describe.skipIf(chromium === undefined)('in Chromium', () => {
  let server: Server;
  let browser: Browser | undefined;
  let bundle = '';
  let resolveResult: (text: string) => void;
  const result = new Promise<string>((resolve) => (resolveResult = resolve));

  beforeAll(async () => {
    const built = await build({
      configFile: false,
      logLevel: 'error',
      build: {
        write: false,
        target: 'es2022',
        lib: { entry: join(import.meta.dirname, '../../compiler/index.ts'), formats: ['es'], fileName: 'nnc' },
      },
    });
    const first = Array.isArray(built) ? built[0]! : built;
    if ('output' in first) bundle = first.output[0].code;
    server = createServer((request, response) => {
      if (request.url === '/result') {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          response.end();
          resolveResult(body);
        });
      } else if (request.url === '/nnc.js') response.setHeader('content-type', 'text/javascript').end(bundle);
      else response.setHeader('content-type', 'text/html').end(PAGE);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('compiles, trains and predicts what Node does', async () => {
    const { port } = server.address() as AddressInfo;
    browser = await launchBrowser();
    await (await browser.newPage()).goto(`http://127.0.0.1:${port}/`);
    const page = JSON.parse(await result) as { error?: string; losses: number[]; accuracy: number; output: number[] };
    expect(page.error).toBeUndefined();
    const artifact = compile(source, { path: 'digits.nn', only: 'Fit' }).artifacts.get('Fit')!;
    const net = await instantiate(artifact, 5);
    const { image, label } = new Function(`${INPUTS} return { image, label };`)() as {
      image: Float32Array;
      label: Int32Array;
    };
    const losses = Array.from({ length: 20 }, () => net.step({ image, label }).loss);
    expect(page.losses).toEqual(losses);
    expect(page.losses.at(-1)).toBeLessThan(page.losses[0]!);
    expect(page.accuracy).toBe(net.evaluate({ image, label }).accuracy);
    expect(page.output).toEqual([...net.forward({ image }).output!.data.slice(0, 10)]);
  }, 60_000);
});
