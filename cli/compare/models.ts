/**
 * The networks of a comparison: a folder that `nnc train` wrote, or PROGRAM=WEIGHTS. A folder says in its run.json which program, block and consts
 * its weights belong to.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { located, readText } from '../files.ts';
import { lookup, type Program } from '../../compiler/check/program.ts';
import type { Io } from '../io.ts';
import { refuse } from '../problems.ts';
import type { Consts } from '../project.ts';
import { namesOf } from '../study/prediction.ts';

export interface Subject {
  /** As tables show it. */
  readonly label: string;
  readonly program: string;
  readonly weights: string;
  readonly consts: Consts;
  /** The train block that made the weights, where that is known: the model is the one it names. */
  readonly train: string | null;
}

export function subjectOf(io: Io, text: string, consts: Consts): Subject {
  const named = /^([^=]+\.nn)=(.+)$/.exec(text);
  if (named !== null)
    return { label: basename(named[1]!, '.nn'), program: named[1]!, weights: named[2]!, consts, train: null };
  const path = join(text, 'run.json');
  if (!existsSync(located(io, path)))
    return refuse('NN935', {
      reason: `${text} is no folder of a training`,
      advice: 'name folders that `nnc train` wrote, or PROGRAM.nn=WEIGHTS.safetensors',
    });
  const run = parsed(readText(io, path));
  if (run === null)
    return refuse('NN935', {
      reason: `${path} does not say where its program is`,
      advice: 'write PROGRAM.nn=WEIGHTS.safetensors',
    });
  return {
    label: basename(text),
    program: run.path,
    weights: join(text, 'weights.safetensors'),
    consts: run.consts,
    train: run.train,
  };
}

function parsed(text: string): { path: string; consts: Consts; train: string | null } | null {
  try {
    const { path, consts, train } = JSON.parse(text) as { path?: unknown; consts?: unknown; train?: unknown };
    if (typeof path !== 'string' || typeof consts !== 'object' || consts === null) return null;
    return { path, consts: consts as Consts, train: typeof train === 'string' ? train : null };
  } catch {
    return null;
  }
}

/** The name of the model that is compared: asked for, named by the train block, or null where the file's only one is meant. */
export function modelOf(program: Program, subject: Subject, only: string | undefined): string | undefined {
  if (only !== undefined || subject.train === null) return only;
  const train = program.entry.ast.declarations.find((d) => d.kind === 'train' && d.name.text === subject.train);
  if (train?.kind !== 'train') return undefined;
  const names = train.statements.flatMap((s) => [...namesOf(s)]);
  return names.find((name) => lookup(program, program.entry, name)?.declaration.kind === 'model');
}

/** Labels that differ: where two are the same, a number follows. */
export function distinct(labels: readonly string[]): string[] {
  const count = new Map<string, number>();
  return labels.map((label) => {
    const n = (count.get(label) ?? 0) + 1;
    count.set(label, n);
    return n === 1 ? label : `${label} (${n})`;
  });
}
