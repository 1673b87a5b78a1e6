/** Files by the user's own paths: read with a reason when it fails, written whole or not at all. */
import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Io } from './io.ts';
import { refuse } from './problems.ts';

/**
 * A path as Node's functions take it. Where nnc runs in the process's own folder it stays as the user wrote it, so that messages of those
 * who open it name it so too.
 */
export const located = (io: Io, path: string): string =>
  isAbsolute(path) || io.cwd === process.cwd() ? path : resolve(io.cwd, path);

export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'it is not allowed',
    EPERM: 'it is not allowed',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of its path is a file, not a folder',
    EEXIST: 'a file is where a folder should be',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    EMFILE: 'too many files are open',
  };
  return reasons[code] ?? (error instanceof Error ? error.message : String(error));
}

export function readText(io: Io, path: string): string {
  return new TextDecoder().decode(readBytes(io, path));
}

export function readBytes(io: Io, path: string): Uint8Array {
  try {
    return readFileSync(located(io, path));
  } catch (error) {
    return refuse('NN920', { path, reason: reasonOf(error) });
  }
}

/** Makes the folder and sees that files can be written there, before hours are spent on what should stand in them. */
export function prepareFolder(io: Io, path: string): void {
  try {
    mkdirSync(located(io, path), { recursive: true });
    accessSync(located(io, path), constants.W_OK);
  } catch (error) {
    refuse('NN921', { path, reason: reasonOf(error) });
  }
}

/** The beginning of a file, or null where there is none that can be read. */
export function headOf(io: Io, path: string): string | null {
  try {
    return readFileSync(located(io, path), 'utf8').slice(0, 400);
  } catch {
    return null;
  }
}

/** Removes a file that is not true any more. Says whether there was one. */
export function removeFile(io: Io, path: string): boolean {
  try {
    rmSync(located(io, path));
    return true;
  } catch {
    return false;
  }
}

/** Under another name first, renamed when complete: a reader sees the old file or the new one, never a half. */
export function writeFile(io: Io, path: string, content: string | Uint8Array): void {
  const target = located(io, path);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  try {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(temporary, content);
    renameSync(temporary, target);
  } catch (error) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // The first failure is the one to report.
    }
    refuse('NN921', { path, reason: reasonOf(error) });
  }
}
