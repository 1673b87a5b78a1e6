/** What tests write for a moment (emitted modules, copies of examples) lies in one temporary folder, and goes with it when the run ends, however it ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function temporary(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'nnc-test-'));
  // The workers inherit it, and with it what they start.
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
