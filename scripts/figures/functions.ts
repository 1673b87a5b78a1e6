/** Notes 1 and 2: every activation and loss with its derivative, computed by the modules that docs/learn/activations.nn and losses.nn become. */
import { figure, type Panel, type Point } from '../../cli/report/figure.ts';
import { built, created, range, save, values } from './support.ts';

/** Those of which the name does not say enough. */
const own: Readonly<Record<string, string>> = {
  threshold: 'threshold at 1',
  swish: 'swish, 2 x in the sigmoid',
  glu: 'glu of (x, x)',
  swiglu: 'swiglu of (x, x)',
  geglu: 'geglu of (x, x)',
  reglu: 'reglu of (x, x)',
};

export async function activations(): Promise<void> {
  const xs = range(-4, 4, 161);
  const unit = await created(built('docs/learn/activations.nn', 'Activations', { N: xs.length }));
  const result = unit.forward({ x: Float32Array.from(xs) });
  const names = Object.keys(result).filter((name) => !name.endsWith('_slope'));
  const curve = (name: string): Point[] => values(result[name]).map((y, i) => [xs[i]!, y]);
  const panels = names.map((name): Panel => ({
    title: name.endsWith('_first') ? `${name.replace('_first', '')} of (x, 0, -1), first` : (own[name] ?? name),
    x: { from: -4, to: 4 },
    y: { from: -2, to: 4 },
    curves: [
      { name: 'value', color: 0, points: curve(name) },
      { name: 'derivative', color: 1, points: curve(`${name}_slope`), dashed: true },
    ],
  }));
  save(
    'activations.svg',
    figure(panels, { title: 'Activations and their derivatives', columns: 5, panelWidth: 190, panelHeight: 150 }),
  );
}

export async function losses(): Promise<void> {
  const unit = await created(built('docs/learn/losses.nn', 'Losses', { B: 1 }));
  const at = (x: number, y: number): Readonly<Record<string, number>> =>
    ({ ...unit.forward({ x: Float32Array.of(x), y: Float32Array.of(y) }) }) as Record<string, number>;
  const panel = (
    title: string,
    y: number,
    xs: readonly number[],
    list: readonly [string, string][],
    label: string,
    to?: number,
  ): Panel => {
    const rows = xs.map((x) => at(x, y));
    return {
      title,
      x: { label },
      y: to === undefined ? {} : { to },
      curves: list.map(([name, key], color) => ({
        name,
        color: color + (label === 'x - y' ? 4 : 0),
        points: rows.map((row, i): Point => [xs[i]!, row[key]!]),
        dashed: key.startsWith('from_probs'),
      })),
    };
  };
  const near = range(-6, 6, 121);
  const far = range(-200, 200, 201);
  const classes: [string, string][] = [
    ['cross-entropy from logits', 'from_logits'],
    ['the same from probabilities', 'from_probs'],
    ['focal', 'focal_loss'],
    ['hinge', 'hinge_loss'],
  ];
  const numbers: [string, string][] = [
    ['squared', 'squared'],
    ['absolute', 'absolute'],
    ['Huber', 'huber_loss'],
    ['log cosh', 'smooth'],
  ];
  const slopes = (list: readonly [string, string][]): [string, string][] =>
    list.map(([name, key]) => [name, `${key.replace('_loss', '')}_slope`]);
  save(
    'losses.svg',
    figure(
      [
        panel('truth 1, by the logit', 1, near, classes, 'logit'),
        panel('far out: a probability is 0 or 1', 1, far, classes.slice(0, 2), 'logit'),
        panel('numbers', 0, range(-3, 3, 121), numbers, 'x - y', 4),
        panel('derivatives', 1, near, slopes(classes), 'logit'),
        panel('derivatives far out', 1, far, slopes(classes.slice(0, 2)), 'logit'),
        panel('derivatives', 0, range(-3, 3, 121), slopes(numbers), 'x - y'),
      ],
      { title: 'Losses and their derivatives', columns: 3 },
    ),
  );
}
