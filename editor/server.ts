/**
 * The language server: features over a connection. What a feature finds is in `features/`; here it is only translated, scheduled and guarded.
 *
 * A request that fails answers with nothing and leaves a line in the client's log: an editor with one feature less is better than one without
 * a server. Where a check is slow, diagnostics wait for a pause in the typing, so that what is typed next is never far behind.
 */
import {
  CodeActionKind,
  CompletionItemKind,
  DiagnosticSeverity,
  DiagnosticTag,
  FoldingRangeKind,
  InlayHintKind,
  InsertTextFormat,
  LSPErrorCodes,
  MarkupKind,
  ResponseError,
  SemanticTokensBuilder,
  SymbolKind,
  TextDocumentSyncKind,
  TextDocuments,
  type CancellationToken,
  type CodeAction,
  type Connection,
  type Diagnostic,
  type DocumentSymbol,
  type InitializeResult,
  type Location,
  type Position,
  type Range,
  type TextEdit,
  type WorkspaceEdit,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Edit } from '../compiler/diagnostics/problem.ts';
import { explain } from '../compiler/diagnostics/render/index.ts';
import type { Analysis } from './analysis.ts';
import { completions, type CompletionKind } from './features/completion.ts';
import { diagnostics, type Diagnosis } from './features/diagnostics.ts';
import { fixAll, quickFixes } from './features/fixes.ts';
import { hover } from './features/hover.ts';
import { inlayHints, type HintStyle } from './features/inlay.ts';
import { lenses, weigh } from './features/lens.ts';
import type { NameSymbol } from './features/names.ts';
import { definition, references, rename, renameable } from './features/navigate.ts';
import { signatureHelp } from './features/signature-help.ts';
import { folds, outline, type OutlineItem, type OutlineKind } from './features/structure.ts';
import { semanticTokens, tokenModifiers, tokenTypes } from './features/tokens.ts';
import { formatChange, formatRange, type FormatOptions, type TextChange } from './prettier-plugin/format.ts';
import { NnSyntaxError } from './prettier-plugin/index.ts';
import { locationOf, rangeOf, type Addresses } from './places.ts';
import { Workspace, type Disk } from './workspace.ts';

export interface ServerHost {
  readonly disk: Disk;
  readonly addresses: Addresses;
  /** The folders of the workspace, once the client has named them. */
  readonly folders: (uris: readonly string[]) => void;
  readonly clock: () => number;
  /** Lets what waits in the event loop have its turn. */
  readonly turn: () => Promise<void>;
  /** The address of the page that explains a code, where there is one. */
  readonly explanation: (code: string) => string | null;
  /** What the user's configuration says of a file's form. */
  readonly formatting: (path: string) => Promise<FormatOptions>;
}

/** What a client may say at the start. */
interface Options {
  /** The scheme of addresses that the client opens as explanations: `nnc-explain:/NN101.md`. */
  readonly explainScheme?: string;
  /** The client has the command `nn.run` (address, name of the train block). */
  readonly canRun?: boolean;
  readonly inlayHints?: HintStyle | 'off';
  /** Columns of formatted text, where no configuration says it. */
  readonly printWidth?: number;
}

/** Milliseconds without a keystroke. */
const PAUSE = 300;

const FIX_ALL = `${CodeActionKind.SourceFixAll}.nn`;

export function serve(connection: Connection, host: ServerHost): void {
  const documents = new TextDocuments(TextDocument);
  const workspace = new Workspace(host.disk, host.clock);
  const { addresses } = host;
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Waiting for a pause in which to look for where an error comes from. */
  const pauses = new Map<string, ReturnType<typeof setTimeout>>();
  let options: Options = {};

  // ------------------------------------------------------------------------------------------------------------ start

  connection.onInitialize((params): InitializeResult => {
    options = (params.initializationOptions as Options | undefined) ?? {};
    const roots = params.workspaceFolders?.map((f) => f.uri) ?? [];
    host.folders(roots);
    return {
      serverInfo: { name: 'nnc' },
      capabilities: {
        textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental },
        hoverProvider: true,
        definitionProvider: true,
        referencesProvider: true,
        documentHighlightProvider: true,
        documentSymbolProvider: true,
        foldingRangeProvider: true,
        inlayHintProvider: true,
        documentFormattingProvider: true,
        documentRangeFormattingProvider: true,
        renameProvider: { prepareProvider: true },
        completionProvider: { triggerCharacters: ['.', '[', '(', ',', ':', '>', ' '] },
        signatureHelpProvider: { triggerCharacters: ['(', ','], retriggerCharacters: [')'] },
        codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix, FIX_ALL] },
        codeLensProvider: { resolveProvider: true },
        semanticTokensProvider: {
          legend: { tokenTypes: [...tokenTypes], tokenModifiers: [...tokenModifiers] },
          full: true,
        },
        workspace: { workspaceFolders: { supported: true, changeNotifications: false } },
      },
    };
  });

  connection.onDidChangeConfiguration(({ settings }) => {
    const own = (settings as { readonly nn?: Pick<Options, 'inlayHints' | 'printWidth'> } | null)?.nn;
    if (own?.inlayHints !== undefined) options = { ...options, inlayHints: own.inlayHints };
    if (own?.printWidth !== undefined) options = { ...options, printWidth: own.printWidth };
  });

  // -------------------------------------------------------------------------------------------------------- documents

  const log = (what: string, error: unknown): void =>
    connection.console.error(`${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);

  /** The client's own pages, else those that came with the server. */
  const explained = (code: string): string | null =>
    options.explainScheme === undefined ? host.explanation(code) : `${options.explainScheme}:/${code}.md`;

  const publish = (path: string): void => {
    timers.delete(path);
    try {
      const a = workspace.analysis(path);
      if (a === null) return;
      const uri = addresses.uri(path);
      const { version } = documents.get(uri) ?? {};
      void connection.sendDiagnostics({
        uri,
        ...(version === undefined ? {} : { version }),
        diagnostics: diagnostics(a).map((d) => toDiagnostic(a, d, addresses, explained(d.code))),
      });
      if (a.failure !== null) log('check', a.failure);
      else if (a.reports.some((r) => r.severity === 'error'))
        pauses.set(
          path,
          setTimeout(() => void refine(path, a, version), PAUSE),
        );
    } catch (error) {
      log('diagnostics', error);
    }
  };

  /** In a pause of the typing: where the first error comes from, by trying what would mend it. A keystroke ends it. */
  const refine = async (path: string, a: Analysis, version: number | undefined): Promise<void> => {
    pauses.delete(path);
    const current = (): boolean => !timers.has(path) && workspace.isOpen(path) && workspace.analysis(path) === a;
    try {
      const steps = a.refine();
      for (;;) {
        if (!current()) return;
        const step = steps.next();
        if (step.done !== true) {
          await host.turn();
          continue;
        }
        if (!step.value.some((r) => r.noticed !== undefined)) return;
        await connection.sendDiagnostics({
          uri: addresses.uri(path),
          ...(version === undefined ? {} : { version }),
          diagnostics: diagnostics(a, step.value).map((d) => toDiagnostic(a, d, addresses, explained(d.code))),
        });
        return;
      }
    } catch (error) {
      log('repair', error);
    }
  };

  const schedule = (path: string): void => {
    clearTimeout(pauses.get(path));
    pauses.delete(path);
    clearTimeout(timers.get(path));
    const wait = workspace.lastCost < 100 ? 4 : Math.min(workspace.lastCost / 2, 100);
    timers.set(
      path,
      setTimeout(() => publish(path), wait),
    );
  };

  documents.onDidChangeContent(({ document }) => {
    const path = addresses.path(document.uri);
    for (const other of workspace.set(path, document.getText())) schedule(other);
    schedule(path);
  });
  documents.onDidClose(({ document }) => {
    const path = addresses.path(document.uri);
    for (const waiting of [timers, pauses]) {
      clearTimeout(waiting.get(path));
      waiting.delete(path);
    }
    for (const other of workspace.close(path)) schedule(other);
    void connection.sendDiagnostics({ uri: document.uri, diagnostics: [] });
  });
  connection.onDidChangeWatchedFiles(({ changes }) => {
    for (const { uri } of changes) for (const other of workspace.changed(addresses.path(uri))) schedule(other);
  });

  // --------------------------------------------------------------------------------------------------------- requests

  /** Lets messages that wait (a cancellation, the next keystroke) in first; a failure is an empty answer. */
  const answer =
    <P extends { readonly textDocument: { readonly uri: string } }, R>(
      what: string,
      work: (a: Analysis, params: P, document: TextDocument) => R | Promise<R>,
    ) =>
    async (params: P, token: CancellationToken): Promise<R | null> => {
      await host.turn();
      if (token.isCancellationRequested) throw new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled');
      const document = documents.get(params.textDocument.uri);
      if (document === undefined) return null;
      try {
        const path = addresses.path(document.uri);
        workspace.set(path, document.getText());
        const a = workspace.analysis(path);
        return a === null ? null : await work(a, params, document);
      } catch (error) {
        if (error instanceof ResponseError) throw error;
        log(what, error);
        return null;
      }
    };

  type At = { readonly textDocument: { readonly uri: string }; readonly position: Position };
  type In = { readonly textDocument: { readonly uri: string } };

  connection.onHover(
    answer('hover', (a, { position }: At, document) => {
      const found = hover(a, document.offsetAt(position));
      return found === null
        ? null
        : { contents: { kind: MarkupKind.Markdown, value: found.markdown }, range: rangeOf(a, found.span) };
    }),
  );

  connection.onDefinition(
    answer('definition', (a, { position }: At, document) => {
      const span = definition(a, document.offsetAt(position));
      return span === null ? null : locationOf(a, span, addresses);
    }),
  );

  connection.onReferences(
    answer('references', (a, params: At & { readonly context: { readonly includeDeclaration: boolean } }, document) => {
      const offset = document.offsetAt(params.position);
      const own = references(a, offset, params.context.includeDeclaration).map((o) => locationOf(a, o.span, addresses));
      const symbol = a.names().at(a.file, offset)?.symbol;
      return symbol === undefined ? own : merge(own, elsewhere(workspace, a, symbol, addresses));
    }),
  );

  connection.onDocumentHighlight(
    answer('highlight', (a, { position }: At, document) =>
      references(a, document.offsetAt(position), true)
        .filter((o) => o.span.file === a.file)
        .map((o) => ({ range: rangeOf(a, o.span) })),
    ),
  );

  connection.onPrepareRename(
    answer('prepareRename', (a, { position }: At, document) => {
      const found = renameable(a, document.offsetAt(position));
      if ('reason' in found) throw new ResponseError(LSPErrorCodes.RequestFailed, found.reason);
      return { range: rangeOf(a, found.span), placeholder: found.text };
    }),
  );

  connection.onRenameRequest(
    answer('rename', (a, params: At & { readonly newName: string }, document): WorkspaceEdit => {
      const offset = document.offsetAt(params.position);
      const result = rename(a, offset, params.newName, workspace.host);
      if (!result.ok) throw new ResponseError(LSPErrorCodes.RequestFailed, result.reason);
      const spans = new Map<string, Location>();
      const add = (location: Location): void => void spans.set(keyOf(location), location);
      for (const e of result.edits) {
        const file = a.sources.files.find((f) => f.path === e.path)!;
        add(locationOf(a, { file: file.id, start: e.start, end: e.end }, addresses));
      }
      const symbol = a.names().at(a.file, offset)!.symbol;
      for (const l of elsewhere(workspace, a, symbol, addresses, true)) add(l);
      const changes: Record<string, TextEdit[]> = {};
      for (const { uri, range } of spans.values()) (changes[uri] ??= []).push({ range, newText: params.newName });
      return { changes };
    }),
  );

  connection.onCompletion(
    answer('completion', (a, { position }: At, document) => ({
      isIncomplete: false,
      items: completions(a, document.offsetAt(position)).map((c) => ({
        label: c.label,
        kind: COMPLETION_KINDS[c.kind],
        ...(c.detail === '' ? {} : { detail: c.detail }),
        ...(c.doc === null ? {} : { documentation: { kind: MarkupKind.Markdown, value: c.doc } }),
        insertText: c.insert,
        insertTextFormat: c.snippet ? InsertTextFormat.Snippet : InsertTextFormat.PlainText,
        sortText: `${c.rank}${c.label}`,
      })),
    })),
  );

  connection.onSignatureHelp(
    answer('signatureHelp', (a, { position }: At, document) => {
      const help = signatureHelp(a, document.offsetAt(position));
      if (help === null) return null;
      return {
        signatures: [
          {
            label: help.label,
            ...(help.doc === null ? {} : { documentation: { kind: MarkupKind.Markdown, value: help.doc } }),
            parameters: help.parameters.map(([start, end]) => ({ label: [start, end] as [number, number] })),
          },
        ],
        activeSignature: 0,
        activeParameter: help.active ?? help.parameters.length,
      };
    }),
  );

  connection.onDocumentSymbol(answer('documentSymbol', (a, _: In) => outline(a).map((item) => toSymbol(a, item))));

  connection.onFoldingRanges(
    answer('folding', (a, _: In, document) =>
      folds(a).flatMap((f) => {
        const startLine = document.positionAt(f.start).line;
        // The line of the closing bracket stays.
        const endLine = document.positionAt(f.end).line - (f.kind === 'region' ? 1 : 0);
        return endLine > startLine ? [{ startLine, endLine, kind: FOLD_KINDS[f.kind] }] : [];
      }),
    ),
  );

  connection.languages.inlayHint.on(
    answer('inlayHint', (a, { range }: In & { readonly range: Range }, document) => {
      if (options.inlayHints === 'off') return [];
      return inlayHints(
        a,
        document.offsetAt(range.start),
        document.offsetAt(range.end),
        options.inlayHints ?? 'names',
      ).map((h) => ({
        position: document.positionAt(h.offset),
        label: h.label,
        kind: InlayHintKind.Type,
        paddingLeft: true,
        ...(h.tooltip === '' ? {} : { tooltip: { kind: MarkupKind.Markdown, value: h.tooltip } }),
      }));
    }),
  );

  connection.languages.semanticTokens.on(async (params, token) => {
    const data = await answer('semanticTokens', (a, _: In, document) => {
      const builder = new SemanticTokensBuilder();
      for (const t of semanticTokens(a)) {
        const { line, character } = document.positionAt(t.start);
        const modifiers = t.modifiers.reduce((bits, m) => bits | (1 << tokenModifiers.indexOf(m)), 0);
        builder.push(line, character, t.length, tokenTypes.indexOf(t.type), modifiers);
      }
      return builder.build();
    })(params, token);
    return data ?? { data: [] };
  });

  /** A text with syntax errors is left as it is; the diagnostics say why. */
  const formatted = async (
    document: TextDocument,
    work: (text: string, form: FormatOptions) => Promise<TextChange | null>,
  ): Promise<TextEdit[]> => {
    const { printWidth } = options;
    const form = { ...(printWidth === undefined ? {} : { printWidth }), ...(await formatting(document)) };
    try {
      const change = await work(document.getText(), form);
      if (change === null) return [];
      const range = { start: document.positionAt(change.start), end: document.positionAt(change.end) };
      return [{ range, newText: change.text }];
    } catch (error) {
      if (error instanceof NnSyntaxError) return [];
      throw error;
    }
  };
  const formatting = (document: TextDocument): Promise<FormatOptions> => host.formatting(addresses.path(document.uri));

  connection.onDocumentFormatting(answer('formatting', (_, __: In, document) => formatted(document, formatChange)));

  connection.onDocumentRangeFormatting(
    answer('rangeFormatting', (_, { range }: In & { readonly range: Range }, document) =>
      formatted(document, (text, form) =>
        formatRange(text, document.offsetAt(range.start), document.offsetAt(range.end), form),
      ),
    ),
  );

  connection.onCodeAction(
    answer(
      'codeAction',
      (
        a,
        params: In & {
          readonly range: Range;
          readonly context: { readonly only?: readonly string[]; readonly diagnostics: readonly Diagnostic[] };
        },
        document,
      ) => {
        const wanted = (kind: string): boolean =>
          params.context.only === undefined || params.context.only.some((o) => kind === o || kind.startsWith(`${o}.`));
        const actions: CodeAction[] = [];
        if (wanted(CodeActionKind.QuickFix))
          for (const f of quickFixes(a, document.offsetAt(params.range.start), document.offsetAt(params.range.end)))
            actions.push({
              title: f.title,
              kind: CodeActionKind.QuickFix,
              isPreferred: f.preferred,
              diagnostics: params.context.diagnostics.filter((d) => d.code === f.report.code),
              edit: toEdit(a, f.edits, addresses),
            });
        if (params.context.only?.some((o) => FIX_ALL === o || FIX_ALL.startsWith(`${o}.`)) === true) {
          const edits = fixAll(a);
          if (edits.length > 0)
            actions.push({ title: 'Apply all safe fixes', kind: FIX_ALL, edit: toEdit(a, edits, addresses) });
        }
        return actions;
      },
    ),
  );

  connection.onCodeLens(
    answer('codeLens', (a, { textDocument }: In) =>
      lenses(a)
        .filter((l) => l.what === 'size' || options.canRun === true)
        .map((l) => ({
          range: rangeOf(a, l.span),
          ...(l.what === 'run'
            ? { command: { title: '▶ Train', command: 'nn.run', arguments: [textDocument.uri, l.name] } }
            : { data: { uri: textDocument.uri, name: l.name } }),
        })),
    ),
  );

  connection.onCodeLensResolve(async (lens, token) => {
    const data = lens.data as { readonly uri: string; readonly name: string } | undefined;
    if (data === undefined) return lens;
    const title = await answer('codeLens', (a, _: In) => weigh(a, data.name))(
      { textDocument: { uri: data.uri } },
      token,
    );
    // Editors want a command; without a name it is a text.
    return { ...lens, command: { title: title ?? 'parameters unknown', command: '' } };
  });

  // ------------------------------------------------------------------------------------------------------- beside LSP

  /** `{ code: 'NN101' }` → the explanation as Markdown, or null. */
  connection.onRequest('nn/explain', ({ code }: { readonly code: string }) => explain(code));

  documents.listen(connection);
  connection.listen();
}

// -------------------------------------------------------------------------------------------------------------- translation

const COMPLETION_KINDS: Readonly<Record<CompletionKind, CompletionItemKind>> = {
  size: CompletionItemKind.TypeParameter,
  run: CompletionItemKind.TypeParameter,
  letter: CompletionItemKind.EnumMember,
  value: CompletionItemKind.Variable,
  parameter: CompletionItemKind.Variable,
  config: CompletionItemKind.Variable,
  leaf: CompletionItemKind.Property,
  input: CompletionItemKind.Variable,
  label: CompletionItemKind.Reference,
  field: CompletionItemKind.Field,
  const: CompletionItemKind.Constant,
  function: CompletionItemKind.Function,
  block: CompletionItemKind.Class,
  train: CompletionItemKind.Event,
  builtin: CompletionItemKind.Function,
  keyword: CompletionItemKind.Keyword,
  type: CompletionItemKind.Struct,
  argument: CompletionItemKind.Field,
  member: CompletionItemKind.Property,
  role: CompletionItemKind.Interface,
  file: CompletionItemKind.File,
};

const SYMBOL_KINDS: Readonly<Record<OutlineKind, SymbolKind>> = {
  function: SymbolKind.Function,
  class: SymbolKind.Class,
  constant: SymbolKind.Constant,
  variable: SymbolKind.Variable,
  property: SymbolKind.Property,
  module: SymbolKind.Module,
  event: SymbolKind.Event,
  interface: SymbolKind.Interface,
};

const FOLD_KINDS = {
  region: FoldingRangeKind.Region,
  comment: FoldingRangeKind.Comment,
  imports: FoldingRangeKind.Imports,
};

const SEVERITIES = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  note: DiagnosticSeverity.Information,
};

function toDiagnostic(a: Analysis, d: Diagnosis, addresses: Addresses, href: string | null): Diagnostic {
  return {
    range: rangeOf(a, d.span),
    severity: SEVERITIES[d.severity],
    source: 'nnc',
    code: d.code,
    ...(href === null ? {} : { codeDescription: { href } }),
    message: d.message,
    ...(d.unused ? { tags: [DiagnosticTag.Unnecessary] } : {}),
    relatedInformation: d.related.map((r) => ({ location: locationOf(a, r.span, addresses), message: r.message })),
  };
}

function toSymbol(a: Analysis, item: OutlineItem): DocumentSymbol {
  return {
    name: item.name,
    detail: item.detail,
    kind: SYMBOL_KINDS[item.kind],
    range: rangeOf(a, item.span),
    selectionRange: rangeOf(a, item.selection),
    children: item.children.map((c) => toSymbol(a, c)),
  };
}

function toEdit(a: Analysis, edits: readonly Edit[], addresses: Addresses): WorkspaceEdit {
  const changes: Record<string, TextEdit[]> = {};
  for (const e of edits) {
    const { uri, range } = locationOf(a, e.span, addresses);
    (changes[uri] ??= []).push({ range, newText: e.text });
  }
  return { changes };
}

const keyOf = (l: Location): string => `${l.uri}:${l.range.start.line}:${l.range.start.character}`;

function merge(a: readonly Location[], b: readonly Location[]): Location[] {
  return [...new Map([...a, ...b].map((l) => [keyOf(l), l])).values()];
}

/** Occurrences of a top-level name in programs that import its file. `same`: only where it has its own name, not an alias. */
function elsewhere(
  workspace: Workspace,
  a: Analysis,
  symbol: NameSymbol,
  addresses: Addresses,
  same = false,
): Location[] {
  if (symbol.definition === null || symbol.place === null) return [];
  const { path, library } = a.sources.get(symbol.place.file);
  if (library) return [];
  const { start } = symbol.place;
  return workspace.dependents(a, path).flatMap((other) => {
    const file = other.sources.files.find((f) => f.path === path)!;
    const there = other.names().symbols.get(`${file.id}:${start}`);
    if (there === undefined) return [];
    return other
      .names()
      .of(there)
      .filter((o) => !same || other.sources.text(o.span) === symbol.name)
      .map((o) => locationOf(other, o.span, addresses));
  });
}
