/** The server as a program of its own, for the extension's bundle. */
import { lsp } from './lsp.ts';

lsp();
