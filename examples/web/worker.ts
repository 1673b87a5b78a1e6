/** The engine in a worker, so that the page stays free: commands in, reports out. */
import { Engine } from './engine.ts';
import type { Command } from './messages.ts';

const scope = globalThis as unknown as {
  postMessage(message: unknown): void;
  onmessage: ((event: { readonly data: Command }) => void) | null;
};
const engine = new Engine((report) => scope.postMessage(report));
scope.onmessage = ({ data }) => engine.handle(data);
