/**
 * The VS Code extension: starts the language server that is packed with it, opens explanations of codes, and runs training in a terminal.
 * Everything about the language is in the server.
 */
import { commands, EventEmitter, Uri, window, workspace, type ExtensionContext } from 'vscode';
import {
  LanguageClient,
  TransportKind,
  type LanguageClientOptions,
  type ServerOptions,
} from 'vscode-languageclient/node';

const EXPLAIN = 'nnc-explain';

let client: LanguageClient | null = null;

export async function activate(context: ExtensionContext): Promise<void> {
  const server = context.asAbsolutePath('dist/server.mjs');
  const serverOptions: ServerOptions = {
    run: { module: server, transport: TransportKind.stdio },
    debug: { module: server, transport: TransportKind.stdio, options: { execArgv: ['--nolazy', '--inspect=6019'] } },
  };
  const clientOptions: LanguageClientOptions = {
    documentSelector: [{ language: 'nn' }],
    synchronize: { configurationSection: 'nn', fileEvents: workspace.createFileSystemWatcher('**/*.nn') },
    initializationOptions: {
      explainScheme: EXPLAIN,
      canRun: true,
      inlayHints: workspace.getConfiguration('nn').get<string>('inlayHints', 'names'),
      printWidth: workspace.getConfiguration('nn').get<number>('printWidth', 120),
    },
  };
  client = new LanguageClient('nn', 'nn', serverOptions, clientOptions);
  const running = client;

  const changed = new EventEmitter<Uri>();
  context.subscriptions.push(
    changed,
    workspace.registerTextDocumentContentProvider(EXPLAIN, {
      onDidChange: changed.event,
      provideTextDocumentContent: async (uri) => {
        const code = /NN\d+/.exec(uri.path)?.[0] ?? '';
        const text = await running.sendRequest<string | null>('nn/explain', { code });
        return text === null ? `There is no code ${code}.` : `# ${text}`;
      },
    }),
    commands.registerCommand('nn.run', (address?: string, name?: string) => train(address, name)),
    commands.registerCommand('nn.restart', () => running.restart()),
  );
  await running.start();
}

export async function deactivate(): Promise<void> {
  await client?.stop();
  client = null;
}

/** Trains what stands in a file, in a terminal where it can be watched and stopped. */
async function train(address: string | undefined, name: string | undefined): Promise<void> {
  const uri = address === undefined ? window.activeTextEditor?.document.uri : Uri.parse(address);
  if (uri === undefined || uri.scheme !== 'file') {
    await window.showInformationMessage('Save the program as a file first: training reads it from disk.');
    return;
  }
  const document = workspace.textDocuments.find((d) => d.uri.toString() === uri.toString());
  if (document?.isDirty === true) await document.save();
  const command = workspace.getConfiguration('nn', uri).get<string>('command', 'npx nnc');
  const folder = workspace.getWorkspaceFolder(uri)?.uri;
  const terminal =
    window.terminals.find((t) => t.name === 'nn') ??
    window.createTerminal({ name: 'nn', ...(folder === undefined ? {} : { cwd: folder }) });
  terminal.show(true);
  const quoted = uri.fsPath.replace(/(["\\$`])/g, process.platform === 'win32' ? '$1' : '\\$1');
  terminal.sendText(`${command} train "${quoted}"${name === undefined ? '' : ` --only ${name}`}`);
}
