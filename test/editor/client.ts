/** A client of the language server that speaks the real protocol: the server bundled, spawned, and driven over its standard streams. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type Diagnostic,
  type MessageConnection,
  type Position,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';

export const root = join(import.meta.dirname, '../..');

/** The server as one file, with the library beside it, as the extension has it. Returns its path. */
export async function bundleServer(folder: string): Promise<string> {
  const file = join(folder, 'server.mjs');
  const bundle = await rolldown({ input: join(root, 'editor/main.ts'), platform: 'node', logLevel: 'silent' });
  await bundle.write({ file, format: 'esm', codeSplitting: false });
  await bundle.close();
  cpSync(join(root, 'library'), join(folder, 'library'), { recursive: true });
  return file;
}

export interface Published {
  readonly uri: string;
  readonly version?: number;
  readonly diagnostics: readonly Diagnostic[];
}

export class Client {
  readonly folder: string;
  readonly logs: string[] = [];
  readonly connection: MessageConnection;
  readonly child: ChildProcess;
  private readonly documents = new Map<string, TextDocument>();
  private readonly waiting: { readonly test: (p: Published) => boolean; readonly done: (p: Published) => void }[] = [];

  /** `flags`: of Node. */
  constructor(server: string, flags: readonly string[] = []) {
    this.folder = mkdtempSync(join(tmpdir(), 'nnc-editor-'));
    this.child = spawn(process.execPath, [...flags, server], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr!.on('data', (data: unknown) => this.logs.push(String(data)));
    this.connection = createMessageConnection(
      new StreamMessageReader(this.child.stdout!),
      new StreamMessageWriter(this.child.stdin!),
    );
    this.connection.onNotification('textDocument/publishDiagnostics', (p: Published): void => {
      for (const w of [...this.waiting]) if (w.test(p)) w.done(p);
    });
    this.connection.onNotification(
      'window/logMessage',
      (p: { readonly message: string }) => void this.logs.push(p.message),
    );
    this.connection.listen();
  }

  async start(initializationOptions: object = {}): Promise<Record<string, unknown>> {
    const answer = await this.connection.sendRequest<{ capabilities: Record<string, unknown> }>('initialize', {
      processId: process.pid,
      rootUri: null,
      workspaceFolders: [{ uri: pathToFileURL(this.folder).href, name: 'test' }],
      capabilities: {},
      initializationOptions,
    });
    await this.connection.sendNotification('initialized', {});
    return answer.capabilities;
  }

  async stop(): Promise<number | null> {
    const ended = new Promise<number | null>((done) => this.child.once('exit', (status) => done(status)));
    await this.connection.sendRequest('shutdown');
    await this.connection.sendNotification('exit');
    const status = await ended;
    this.connection.dispose();
    rmSync(this.folder, { recursive: true, force: true });
    return status;
  }

  uri(name: string): string {
    return pathToFileURL(join(this.folder, name)).href;
  }

  /** The diagnostics of a document at its present version. */
  async diagnostics(name: string): Promise<readonly Diagnostic[]> {
    const uri = this.uri(name);
    const version = this.documents.get(uri)!.version;
    return (await this.published((p) => p.uri === uri && p.version === version)).diagnostics;
  }

  published(test: (p: Published) => boolean): Promise<Published> {
    return new Promise((done) => {
      const entry = {
        test,
        done: (p: Published): void => {
          this.waiting.splice(this.waiting.indexOf(entry), 1);
          done(p);
        },
      };
      this.waiting.push(entry);
    });
  }

  async open(name: string, text: string): Promise<readonly Diagnostic[]> {
    const uri = this.uri(name);
    this.documents.set(uri, TextDocument.create(uri, 'nn', 1, text));
    const answer = this.diagnostics(name);
    await this.connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'nn', version: 1, text },
    });
    return answer;
  }

  /** Replaces a part by offsets, incrementally, and gives the diagnostics of what comes of it. */
  async change(name: string, start: number, end: number, text: string): Promise<readonly Diagnostic[]> {
    const sent = this.edit(name, start, end, text);
    const answer = this.diagnostics(name);
    await sent;
    return answer;
  }

  /** The same without waiting for what the server says. */
  async edit(name: string, start: number, end: number, text: string): Promise<void> {
    const uri = this.uri(name);
    const document = this.documents.get(uri)!;
    const change = { range: { start: document.positionAt(start), end: document.positionAt(end) }, text };
    TextDocument.update(document, [change], document.version + 1);
    await this.connection.sendNotification('textDocument/didChange', {
      textDocument: { uri, version: document.version },
      contentChanges: [change],
    });
  }

  /** Sets the whole text and gives the diagnostics. */
  set(name: string, text: string): Promise<readonly Diagnostic[]> {
    return this.change(name, 0, this.text(name).length, text);
  }

  text(name: string): string {
    return this.documents.get(this.uri(name))!.getText();
  }

  /** Where a piece of the text begins, plus `by` characters. */
  at(name: string, piece: string, by = 0): Position {
    const offset = this.text(name).indexOf(piece);
    if (offset < 0) throw new Error(`\`${piece}\` does not occur in ${name}`);
    return this.documents.get(this.uri(name))!.positionAt(offset + by);
  }

  ask<R>(method: string, name: string, more: object = {}): Promise<R> {
    return this.connection.sendRequest<R>(`textDocument/${method}`, { textDocument: { uri: this.uri(name) }, ...more });
  }

  offset(name: string, position: Position): number {
    return this.documents.get(this.uri(name))!.offsetAt(position);
  }

  /** The text with edits applied. */
  edited(
    name: string,
    edits: readonly { readonly range: { start: Position; end: Position }; readonly newText: string }[],
  ): string {
    return TextDocument.applyEdits(this.documents.get(this.uri(name))!, [...edits]);
  }
}
