/** The language server as a web worker: the same features over messages instead of streams. It knows no disk; what is not open does not exist, except the library. */
import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import { serve } from '../editor/server.ts';

const scope = self as unknown as Worker;
const turns = new MessageChannel();
const waiting: (() => void)[] = [];
turns.port1.onmessage = () => waiting.shift()?.();

serve(createConnection(new BrowserMessageReader(scope), new BrowserMessageWriter(scope)), {
  disk: { read: () => null, list: () => [] },
  // Addresses are paths here: `file:///digits.nn` is what the page says, `nnc:layers.nn` is the library's.
  addresses: { path: (uri) => uri, uri: (path) => path },
  folders: () => undefined,
  clock: () => performance.now(),
  turn: () =>
    new Promise((done) => {
      waiting.push(done);
      turns.port2.postMessage(null);
    }),
  formatting: () => Promise.resolve({}),
  explanation: () => null,
});
