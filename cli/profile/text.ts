/** A profile as text: by line of the source, then by kernel. */
import type { Origins } from '../../compiler/graph/origin.ts';
import type { Sources } from '../../compiler/index.ts';
import { formatBytes } from '../problems.ts';
import { leastTime, type Machine } from './machine.ts';
import type { Profile, StepProfile } from './measure.ts';
import { wayOf } from './places.ts';

export interface Totals {
  milliseconds: number;
  flops: number;
  bytes: number;
  calls: number;
  /** The least that the machine's roofline allows, ms. */
  least: number;
  planned: number;
}

export const empty = (): Totals => ({ milliseconds: 0, flops: 0, bytes: 0, calls: 0, least: 0, planned: 0 });

export function addTo(total: Totals, step: StepProfile, machine: Machine): void {
  total.milliseconds += step.milliseconds;
  total.flops += step.flops;
  total.bytes += step.bytes;
  total.calls += step.calls;
  // A step in a loop goes through its bytes once a round.
  const rounds = Math.max(1, step.calls);
  total.least += rounds * leastTime(machine, step.flops / rounds, step.bytes / rounds);
  total.planned = Math.max(total.planned, step.planned);
}

/** Totals of the steps with one key, the longest first. */
export function grouped<K>(
  steps: readonly StepProfile[],
  machine: Machine,
  keyOf: (step: StepProfile) => K,
): (readonly [K, Totals])[] {
  const groups = new Map<K, Totals>();
  for (const step of steps) {
    const key = keyOf(step);
    let total = groups.get(key);
    if (total === undefined) groups.set(key, (total = empty()));
    addTo(total, step, machine);
  }
  return [...groups].sort((a, b) => b[1].milliseconds - a[1].milliseconds);
}

const digits = (x: number): string => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toPrecision(2));

export const rate = (amount: number, milliseconds: number): string =>
  milliseconds <= 0 || amount === 0 ? '-' : digits(amount / milliseconds / 1e6);

export const time = (ms: number): string => (ms >= 1 ? `${digits(ms)} ms` : `${digits(ms * 1000)} µs`);

/** Share of the roofline: what the machine would need at least, of what it took. */
export const share = ({ least, milliseconds }: Totals): string =>
  milliseconds <= 0 ? '-' : `${Math.min(100, Math.round((100 * least) / milliseconds))} %`;

const headings = ['time', 'share', 'GFLOP/s', 'GB/s', 'roofline', 'calls', 'memory'] as const;

function table(first: string, rows: readonly (readonly [string, Totals])[], all: number, width: number): string[] {
  const cells = rows.map(([, t]) => [
    time(t.milliseconds),
    `${((100 * t.milliseconds) / all).toFixed(1)} %`,
    rate(t.flops, t.milliseconds),
    rate(t.bytes, t.milliseconds),
    share(t),
    t.calls.toLocaleString('en-US'),
    formatBytes(t.planned),
  ]);
  const widths = headings.map((h, i) => Math.max(h.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string => row.map((cell, i) => cell.padStart(widths[i]!)).join('  ');
  const room = Math.max(20, width - widths.reduce((n, w) => n + w + 2, 0));
  const cut = (text: string): string => (text.length > room ? `${text.slice(0, room - 1)}…` : text);
  return [`${line(headings)}  ${first}`, ...rows.map(([name], i) => `${line(cells[i]!)}  ${cut(name)}`.trimEnd())];
}

export interface Shown {
  readonly title: string;
  readonly profile: Profile;
  readonly machine: Machine;
  readonly origins: Origins;
  readonly sources: Sources;
  readonly persistent: number;
  /** What is computed again to take less memory, in words. */
  readonly recomputed: readonly string[];
  readonly work: number;
}

/** The head's facts, one a line. */
export function facts({ profile, machine, persistent, work, recomputed }: Shown): string[] {
  const total = empty();
  for (const step of profile.steps) addTo(total, step, machine);
  const sizes = Object.entries(profile.sizes).map(([name, value]) => `${name} = ${value}`);
  const calls = profile.steps.reduce((n, s) => n + s.calls, 0);
  return [
    `${time(profile.milliseconds)} a call (median of ${profile.runs}${sizes.length > 0 ? `; ${sizes.join(', ')}` : ''}), ${calls.toLocaleString('en-US')} dispatches`,
    `${digits(total.flops / 1e9)} GFLOP, ${formatBytes(total.bytes)} read and written: ${rate(total.flops, profile.milliseconds)} GFLOP/s, ${rate(total.bytes, profile.milliseconds)} GB/s, ${share({ ...total, milliseconds: profile.milliseconds })} of the roofline`,
    `${formatBytes(persistent + work)} planned (${formatBytes(persistent)} kept, ${formatBytes(work)} to work in)`,
    ...recomputed,
    `${machine.name}: ${digits(machine.peak)} GFLOP/s; ${machine.bandwidth.map((b) => digits(b.rate)).join(', ')} GB/s ${machine.bandwidth.length === 1 ? 'from memory' : 'in L2, in L3, from memory'}`,
    ...(profile.notes ?? []),
  ];
}

export function profileText(shown: Shown, width: number): string {
  const { profile, machine, origins, sources } = shown;
  const all = Math.max(profile.milliseconds, 1e-9);
  const texts = new Map<string, string>();
  const lineOf = (s: StepProfile): string => {
    const { line, gradient } = wayOf(origins, s.origin, sources);
    const name = `${line.place}${gradient ? ' (derivative)' : ''}`;
    texts.set(name, line.text);
    return name;
  };
  const byLine = grouped(profile.steps, machine, lineOf).map(([k, t]) => [`${k}  ${texts.get(k)}`, t] as const);
  const byKernel = grouped(profile.steps, machine, (s) => s.kernel);
  const inside = profile.steps.reduce((n, s) => n + s.milliseconds, 0);
  return [
    shown.title,
    ...facts(shown).map((line) => `  ${line}`),
    '',
    ...table('line', byLine, all, width),
    '',
    ...table('kernel', byKernel, all, width),
    '',
    `outside kernels (inputs, copies, the clocks): ${time(Math.max(0, profile.milliseconds - inside))}`,
  ].join('\n');
}
