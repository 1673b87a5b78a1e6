/** The page: CodeMirror over the language server in a worker. `npm run playground`. */
import { lintGutter } from '@codemirror/lint';
import {
  findReferencesKeymap,
  formatDocument,
  formatKeymap,
  hoverTooltips,
  jumpToDefinitionKeymap,
  LSPClient,
  renameKeymap,
  serverCompletion,
  signatureHelp,
  type Transport,
} from '@codemirror/lsp-client';
import { keymap } from '@codemirror/view';
import { basicSetup, EditorView } from 'codemirror';
import type { CodeAction, PublishDiagnosticsParams } from 'vscode-languageserver-protocol';
import digits from '../examples/digits.nn?raw';
import oscillator from '../examples/oscillator.nn?raw';
import phonemes from '../examples/phonemes.nn?raw';
import { tokenTypes } from '../editor/features/tokens.ts';
import { applyEdits, marks, renew, showDiagnostics } from './marks.ts';

const examples: Readonly<Record<string, string>> = {
  'digits.nn': digits,
  'oscillator.nn': oscillator,
  'phonemes.nn': phonemes,
};

const byId = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const state = byId('state');

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
worker.addEventListener('error', (e) => (state.textContent = `The language server failed: ${e.message}`));
const handlers = new Set<(message: string) => void>();
worker.addEventListener('message', (e) => {
  for (const handler of handlers) handler(JSON.stringify(e.data));
});
const transport: Transport = {
  send: (message) => worker.postMessage(JSON.parse(message)),
  subscribe: (handler) => void handlers.add(handler),
  unsubscribe: (handler) => void handlers.delete(handler),
};

const client = new LSPClient({
  rootUri: 'file:///',
  timeout: 20_000,
  notificationHandlers: {
    'textDocument/publishDiagnostics': (_, params: PublishDiagnosticsParams) => {
      void published(params);
      return true;
    },
  },
}).connect(transport);

let view: EditorView | null = null;

async function published(params: PublishDiagnosticsParams): Promise<void> {
  if (view === null) return;
  const errors = params.diagnostics.filter((d) => d.severity === 1).length;
  const others = params.diagnostics.length - errors;
  state.textContent =
    params.diagnostics.length === 0
      ? 'No problems.'
      : `${errors} error${errors === 1 ? '' : 's'}, ${others} warning${others === 1 ? '' : 's'}`;
  await showDiagnostics(view, client, params);
  await renew(view, client, tokenTypes);
}

function show(name: string): void {
  view?.destroy();
  view = new EditorView({
    doc: examples[name]!,
    parent: byId('editor'),
    extensions: [
      basicSetup,
      lintGutter(),
      marks,
      client.plugin(`file:///${name}`, 'nn'),
      serverCompletion(),
      hoverTooltips({ hoverTime: 200 }),
      signatureHelp(),
      keymap.of([...formatKeymap, ...renameKeymap, ...jumpToDefinitionKeymap, ...findReferencesKeymap]),
      // The plugin sends changes when it is asked something; diagnostics are wanted at once.
      EditorView.updateListener.of((update) => {
        if (update.docChanged) queueMicrotask(() => client.sync());
      }),
    ],
  });
  view.focus();
}

const select = byId<HTMLSelectElement>('example');
for (const name of Object.keys(examples)) select.add(new Option(name));
select.addEventListener('change', () => show(select.value));

byId<HTMLSelectElement>('hints').addEventListener('change', (e) => {
  client.notification('workspace/didChangeConfiguration', {
    settings: { nn: { inlayHints: (e.target as HTMLSelectElement).value } },
  });
  if (view !== null) void renew(view, client, tokenTypes);
});

byId('format').addEventListener('click', () => {
  if (view !== null) formatDocument(view);
});

byId('fix').addEventListener('click', () => {
  if (view === null) return;
  const target = view;
  const uri = `file:///${select.value}`;
  client.sync();
  void client
    .request<object, CodeAction[] | null>('textDocument/codeAction', {
      textDocument: { uri },
      range: { start: { line: 0, character: 0 }, end: { line: target.state.doc.lines, character: 0 } },
      context: { diagnostics: [], only: ['source.fixAll'] },
    })
    .then((actions) => {
      for (const a of actions ?? []) applyEdits(target, a.edit?.changes?.[uri] ?? []);
    });
});

await client.initializing;
show(select.value);
