/** The version of nnc, from its package: this file lies in `cli/` or, compiled, in `dist/cli/`. */
import { readFileSync } from 'node:fs';

export function version(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name?: unknown;
        version?: unknown;
      };
      if (found.name === 'nnc' && typeof found.version === 'string') return found.version;
    } catch {
      // The other place.
    }
  }
  return 'unknown';
}
