/** Runs the command line within the test: streams are collected, every run has a folder of its own, the clock counts by itself. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Io } from '../../cli/io.ts';
import { main } from '../../cli/main.ts';
import { decode, type Tensor } from '../../runtime/safetensors.ts';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function folder(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'nnc-'));
  folders.push(path);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Setting {
  /** Called with everything that is written; `interrupt` is Ctrl-C. */
  readonly onWrite?: (text: string, interrupt: () => void) => void;
  readonly tty?: boolean;
  readonly columns?: number;
}

/** `nnc` with these arguments in this folder, whose name appears as `<here>` in what it prints. */
export async function nnc(cwd: string, argv: readonly string[], setting: Setting = {}): Promise<Outcome> {
  let out = '';
  let err = '';
  let time = 0;
  let handler: (() => void) | null = null;
  const interrupt = () => handler?.();
  const stream = (collect: (text: string) => void) => ({
    write: (text: string) => {
      collect(text);
      setting.onWrite?.(text, interrupt);
    },
    isTTY: setting.tty ?? false,
    columns: setting.columns ?? 100,
  });
  const io: Io = {
    stdout: stream((text) => (out += text)),
    stderr: stream((text) => (err += text)),
    cwd,
    env: {},
    now: () => (time += 200),
    date: () => '2026-01-02T03:04:05.000Z',
    onInterrupt: (wanted) => {
      handler = wanted;
      return () => (handler = null);
    },
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    abort: (code) => {
      throw new Error(`aborted with ${code}`);
    },
  };
  const code = await main(argv, io);
  const clean = (text: string) => text.replaceAll(cwd, '<here>');
  return { code, out: clean(out), err: clean(err) };
}

export function tensors(path: string): Map<string, Tensor> {
  const decoded = decode(readFileSync(path));
  if (!decoded.ok) throw new Error(`${path}: ${JSON.stringify(decoded.problem)}`);
  return decoded.tensors;
}

/** A small classifier with draws in training, so that the place in the random stream matters. */
export const program = `model Net(x: float[B, 4]) -> float[B, 3] {
  x |> hidden: Linear(16) |> relu |> Dropout(0.2) |> out: Linear(3)
}

train Fit {
  input x: float[B, 4]
  input label: i32[B] < 3

  let logits = Net(x)
  minimize cross_entropy(logits, label)
  metric accuracy = mean[b] ((argmax[c] logits[b, c]) == label[b])

  optimizer Adam(lr: 1e-2)
  batch B = 16
  epochs 3
  validate(split: 0.2)
}
`;

/** 100 rows whose label is the greatest of the first three values. */
export function rows(count = 100): string {
  let seed = 1;
  const draw = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const lines = Array.from({ length: count }, () => {
    const values = [draw(), draw(), draw(), draw()];
    const first = values.slice(0, 3);
    return [...values.map((value) => value.toFixed(4)), first.indexOf(Math.max(...first))].join(',');
  });
  return `x.0,x.1,x.2,x.3,label\n${lines.join('\n')}\n`;
}
