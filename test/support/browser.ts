/**
 * A real browser for tests: the Chromium of the machine, driven by playwright-core (which brings none of its own). Closing it waits for its processes and
 * removes its profile. Where there is no Chromium, `chromium` is undefined and the tests skip, loudly; `.ci/run` installs one where it can.
 */
import { existsSync } from 'node:fs';
import { chromium as driver, type Browser } from 'playwright-core';

export const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

if (chromium === undefined)
  console.warn('SKIPPED: no Chromium on this machine, so nothing is tested in a real browser');

/** Headless, offline but for 127.0.0.1. `webgpu`: with WebGPU on a software driver. */
export function launchBrowser(options: { readonly webgpu?: boolean } = {}): Promise<Browser> {
  return driver.launch({
    executablePath: chromium!,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(options.webgpu === true ? ['--enable-unsafe-webgpu'] : ['--disable-gpu']),
    ],
  });
}
