/**
 * The documents that are open and the files on disk behind them, and one analysis of each, made when it is asked for and kept until a text
 * that it read changes. No protocol here.
 */
import { analyse, type Analysis } from './analysis.ts';
import { Kept } from '../compiler/check/kept.ts';
import type { Host } from '../compiler/check/program.ts';

/** The disk. `list` names the `.nn` files of the workspace. */
export interface Disk {
  readonly read: (path: string) => string | null;
  readonly list: () => readonly string[];
}

export class Workspace {
  /** Milliseconds that the last analysis took. */
  lastCost = 0;
  private readonly disk: Disk;
  private readonly clock: () => number;
  private readonly open = new Map<string, string>();
  private readonly kept = new Map<string, Analysis>();
  /** What the states of a document share. */
  private readonly states = new Map<string, Kept>();
  readonly host: Host;

  constructor(disk: Disk, clock: () => number) {
    this.disk = disk;
    this.clock = clock;
    this.host = { read: (path) => this.open.get(path) ?? this.disk.read(path) };
  }

  /** Sets the text of an open document. Returns the other open documents that read it. */
  set(path: string, text: string): string[] {
    if (this.open.get(path) === text) return [];
    this.open.set(path, text);
    this.kept.delete(path);
    return this.changed(path);
  }

  close(path: string): string[] {
    this.open.delete(path);
    this.kept.delete(path);
    this.states.delete(path);
    return this.changed(path);
  }

  /** A file changed on disk, or ceased to be open. */
  changed(path: string): string[] {
    const dependents = [...this.kept].filter(([own, a]) => own !== path && a.reads.has(path)).map(([own]) => own);
    for (const own of dependents) this.kept.delete(own);
    return dependents.filter((own) => this.open.has(own));
  }

  isOpen(path: string): boolean {
    return this.open.has(path);
  }

  /** Null for a document that is not open. */
  analysis(path: string): Analysis | null {
    const text = this.open.get(path);
    return text === undefined ? null : this.analysed(path, text);
  }

  private analysed(path: string, text: string): Analysis {
    const old = this.kept.get(path);
    if (old !== undefined && old.text === text) return old;
    let kept = this.states.get(path);
    if (kept === undefined) this.states.set(path, (kept = new Kept()));
    const before = this.clock();
    const made = analyse(path, text, this.host, kept);
    this.lastCost = this.clock() - before;
    this.kept.set(path, made);
    return made;
  }

  /** Programs beside `a` that read one of its files: where its names may stand as well. */
  dependents(a: Analysis, path: string): Analysis[] {
    const known = new Set(a.sources.files.map((f) => f.path));
    const found: Analysis[] = [];
    for (const other of new Set([...this.open.keys(), ...this.disk.list()])) {
      if (known.has(other)) continue;
      const text = this.host.read(other);
      if (text === null || !/\bimport\b/.test(text)) continue;
      const analysis = this.open.has(other) ? this.analysed(other, text) : analyse(other, text, this.host);
      if (analysis.sources.files.some((f) => f.path === path)) found.push(analysis);
    }
    return found;
  }
}
