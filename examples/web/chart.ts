/** Loss (logarithmic, in the colour of the target that computed it) and test accuracy over steps, on a canvas. */
import type { Point, Target } from './messages.ts';

interface Stretch {
  readonly target: Target;
  readonly points: Point[];
}

const NAMES: Readonly<Record<Target, string>> = { wgsl: 'WebGPU', wasm: 'WebAssembly', ts: 'JavaScript' };

export class Chart {
  private readonly canvas: HTMLCanvasElement;
  private stretches: Stretch[] = [];
  private tests: { readonly step: number; readonly accuracy: number }[] = [];
  private waiting = false;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  clear(): void {
    this.stretches = [];
    this.tests = [];
    this.redraw();
  }

  /** Forgets what came after a step: training has gone back to a checkpoint. */
  back(step: number): void {
    for (const s of this.stretches) s.points.splice(s.points.findIndex((p) => p.step > step) >>> 0);
    this.tests = this.tests.filter((t) => t.step <= step);
  }

  add(target: Target, points: readonly Point[]): void {
    const last = this.stretches.at(-1);
    if (last?.target === target) last.points.push(...points);
    else {
      const joint = last?.points.at(-1);
      this.stretches.push({ target, points: [...(joint === undefined ? [] : [joint]), ...points] });
    }
    this.redraw();
  }

  test(step: number, accuracy: number): void {
    if (step > 0 && this.tests.at(-1)?.step !== step) this.tests.push({ step, accuracy });
    this.redraw();
  }

  private redraw(): void {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  private draw(): void {
    const { canvas } = this;
    const scale = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    [canvas.width, canvas.height] = [width * scale, height * scale];
    const c = canvas.getContext('2d')!;
    c.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const [left, right, top, bottom] = [50, width - 44, 30, height - 26];
    const all = this.stretches.flatMap((s) => s.points);
    const end = Math.max(200, ...all.map((p) => p.step));
    const least = Math.min(0.02, ...all.map((p) => Math.max(p.loss, 1e-4)));
    const [low, high] = [Math.log10(least), Math.log10(Math.max(4, ...all.map((p) => p.loss)))];
    const x = (step: number): number => left + ((right - left) * step) / end;
    const y = (loss: number): number =>
      bottom - ((bottom - top) * (Math.log10(Math.max(loss, least)) - low)) / (high - low);
    const z = (accuracy: number): number => bottom - (bottom - top) * accuracy;

    c.font = '11px system-ui, sans-serif';
    c.lineWidth = 1;
    c.textBaseline = 'middle';
    for (let power = Math.ceil(low); power <= high; power++) {
      for (const digit of [1, 2, 5]) {
        const loss = digit * 10 ** power;
        if (Math.log10(loss) < low || Math.log10(loss) > high) continue;
        c.strokeStyle = color('line');
        c.globalAlpha = digit === 1 ? 1 : 0.4;
        line(c, left, y(loss), right, y(loss));
        c.globalAlpha = 1;
        c.fillStyle = color('dim');
        c.textAlign = 'right';
        if (digit === 1) c.fillText(String(Number(loss.toPrecision(1))), left - 8, y(loss));
      }
    }
    c.textAlign = 'left';
    c.fillStyle = color('good');
    for (const part of [0, 0.25, 0.5, 0.75, 1]) c.fillText(`${part * 100}%`, right + 8, z(part));
    c.fillStyle = color('dim');
    c.textAlign = 'center';
    const unit = [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 50_000].find((u) => end / u <= 7) ?? 250_000;
    for (let step = 0; step <= end; step += unit) c.fillText(step.toLocaleString('en'), x(step), bottom + 14);

    c.globalAlpha = 0.9;
    c.strokeStyle = color('good');
    c.setLineDash([4, 4]);
    path(
      c,
      this.tests.map((t) => [x(t.step), z(t.accuracy)]),
    );
    c.setLineDash([]);
    c.lineWidth = all.length > 400 ? 1.3 : 2;
    c.globalAlpha = 1;
    for (const { target, points } of this.stretches) {
      c.strokeStyle = color(target);
      path(
        c,
        thinned(points, right - left).map((p) => [x(p.step), y(p.loss)]),
      );
    }
    this.legend(c, color, left, 10);
  }

  private legend(c: CanvasRenderingContext2D, color: (name: string) => string, left: number, y: number): void {
    const used = [...new Set(this.stretches.map((s) => s.target))];
    const rows = [
      ...used.map((t) => [color(t), NAMES[t]]),
      ...(this.tests.length === 0 ? [] : [[color('good'), 'test accuracy']]),
    ];
    let x = left;
    c.textAlign = 'left';
    for (const [stroke, text] of rows) {
      c.strokeStyle = stroke!;
      line(c, x, y, x + 16, y);
      c.fillStyle = color('dim');
      c.fillText(text!, x + 22, y);
      x += 36 + c.measureText(text!).width;
    }
  }
}

/** At most a point for two pixels: the mean of each group. */
function thinned(points: readonly Point[], width: number): Point[] {
  const group = Math.max(1, Math.floor(points.length / (width / 2)));
  if (group === 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / group) }, (_, k) => {
    const part = points.slice(k * group, (k + 1) * group);
    return { step: part[0]!.step, loss: part.reduce((n, p) => n + p.loss, 0) / part.length };
  });
}

function line(c: CanvasRenderingContext2D, ...[x0, y0, x1, y1]: [number, number, number, number]): void {
  path(c, [
    [x0, y0],
    [x1, y1],
  ]);
}

function path(c: CanvasRenderingContext2D, points: readonly (readonly [number, number])[]): void {
  c.beginPath();
  for (const [x, y] of points) c.lineTo(x, y);
  c.stroke();
}
