/**
 * What `@codemirror/lsp-client` leaves to its users: inlay hints, colours by meaning, and fixes as actions of a diagnostic. Asked for anew after each change,
 * once its diagnostics are there.
 */
import { setDiagnostics, type Action, type Diagnostic as Mark } from '@codemirror/lint';
import { LSPPlugin, type LSPClient } from '@codemirror/lsp-client';
import { RangeSetBuilder, StateEffect, StateField, type Extension } from '@codemirror/state';
import { Decoration, EditorView, WidgetType, type DecorationSet } from '@codemirror/view';
import type {
  CodeAction,
  Diagnostic,
  InlayHint,
  Position,
  PublishDiagnosticsParams,
  SemanticTokens,
  TextEdit,
} from 'vscode-languageserver-protocol';

class Hint extends WidgetType {
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }

  override eq(other: Hint): boolean {
    return other.text === this.text;
  }

  override toDOM(): HTMLElement {
    const span = document.createElement('span');
    span.className = 'nn-hint';
    span.textContent = this.text;
    return span;
  }
}

const setHints = StateEffect.define<DecorationSet>();
const setColours = StateEffect.define<DecorationSet>();

const shown = (effect: typeof setHints): Extension =>
  StateField.define<DecorationSet>({
    create: () => Decoration.none,
    update(value, transaction) {
      let now = value.map(transaction.changes);
      for (const e of transaction.effects) if (e.is(effect)) now = e.value;
      return now;
    },
    provide: (field) => EditorView.decorations.from(field),
  });

export const marks: Extension = [shown(setHints), shown(setColours)];

type Place = (p: Position) => number;

/** Null where the document changed meanwhile: the next diagnostics ask again. */
async function asked<R>(view: EditorView, client: LSPClient, method: string, params: object): Promise<R | null> {
  const plugin = LSPPlugin.get(view);
  if (plugin === null) return null;
  const { doc } = view.state;
  const answer = await client.request<object, R | null>(method, { textDocument: { uri: plugin.uri }, ...params });
  return view.state.doc.eq(doc) ? answer : null;
}

const whole = (view: EditorView): object => ({
  range: { start: { line: 0, character: 0 }, end: { line: view.state.doc.lines, character: 0 } },
});

export async function renew(view: EditorView, client: LSPClient, legend: readonly string[]): Promise<void> {
  const plugin = LSPPlugin.get(view);
  if (plugin === null) return;
  const at: Place = (p) => plugin.fromPosition(p, view.state.doc);
  const hints = await asked<InlayHint[]>(view, client, 'textDocument/inlayHint', whole(view));
  if (hints !== null) {
    const builder = new RangeSetBuilder<Decoration>();
    for (const h of hints) {
      const widget = new Hint(typeof h.label === 'string' ? h.label : h.label.map((l) => l.value).join(''));
      builder.add(at(h.position), at(h.position), Decoration.widget({ widget, side: 1 }));
    }
    view.dispatch({ effects: setHints.of(builder.finish()) });
  }
  const tokens = await asked<SemanticTokens>(view, client, 'textDocument/semanticTokens/full', {});
  if (tokens !== null) view.dispatch({ effects: setColours.of(colours(view, tokens.data, legend, at)) });
}

function colours(view: EditorView, data: readonly number[], legend: readonly string[], at: Place): DecorationSet {
  const found: { from: number; to: number; type: string }[] = [];
  let [line, character] = [0, 0];
  for (let k = 0; k + 4 < data.length; k += 5) {
    line += data[k]!;
    character = data[k] === 0 ? character + data[k + 1]! : data[k + 1]!;
    const from = at({ line, character });
    found.push({ from, to: from + data[k + 2]!, type: legend[data[k + 3]!] ?? '' });
  }
  // Comments and strings are the text's own affair.
  for (const m of view.state.doc.toString().matchAll(/\/\/[^\n]*|"(?:\\.|[^"\\\n])*"/g))
    found.push({ from: m.index, to: m.index + m[0].length, type: m[0].startsWith('"') ? 'string' : 'comment' });
  const builder = new RangeSetBuilder<Decoration>();
  for (const { from, to, type } of found.sort((a, b) => a.from - b.from))
    builder.add(from, to, Decoration.mark({ class: `nn-${type}` }));
  return builder.finish();
}

const SEVERITIES = ['error', 'error', 'warning', 'info', 'hint'] as const;

/** Diagnostics as marks, each with the fixes that the server offers for it. */
export async function showDiagnostics(
  view: EditorView,
  client: LSPClient,
  params: PublishDiagnosticsParams,
): Promise<void> {
  const plugin = LSPPlugin.get(view);
  if (plugin?.uri !== params.uri) return;
  const { doc } = view.state;
  const at: Place = (p) => plugin.fromPosition(p, doc);
  const list = await Promise.all(
    params.diagnostics.map(async (d): Promise<Mark> => {
      const from = at(d.range.start);
      return {
        from,
        to: Math.max(from, at(d.range.end)),
        severity: SEVERITIES[d.severity ?? 1],
        source: `nnc ${String(d.code)}`,
        message: typeof d.message === 'string' ? d.message : d.message.value,
        actions: await fixes(client, params.uri, d),
      };
    }),
  );
  if (view.state.doc.eq(doc)) view.dispatch(setDiagnostics(view.state, list));
}

async function fixes(client: LSPClient, uri: string, d: Diagnostic): Promise<Action[]> {
  const actions = await client.request<object, CodeAction[] | null>('textDocument/codeAction', {
    textDocument: { uri },
    range: d.range,
    context: { diagnostics: [d], only: ['quickfix'] },
  });
  return (actions ?? [])
    .filter((a) => a.diagnostics?.some((x) => x.code === d.code) !== false)
    .map((a) => ({ name: a.title, apply: (view) => applyEdits(view, a.edit?.changes?.[uri] ?? []) }));
}

export function applyEdits(view: EditorView, edits: readonly TextEdit[]): void {
  const plugin = LSPPlugin.get(view);
  if (plugin === null) return;
  view.dispatch({
    changes: edits.map((e) => ({
      from: plugin.fromPosition(e.range.start, view.state.doc),
      to: plugin.fromPosition(e.range.end, view.state.doc),
      insert: e.newText,
    })),
    userEvent: 'nn.edit',
  });
}
