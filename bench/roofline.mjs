/**
 * Draws the products of a run against what the machine can do: arithmetic intensity (operations a byte of the operands and the result, each once) and
 * GFLOP/s, both logarithmic, under the roofs that are measured when this is run. Take both on an idle machine.
 *
 *   node roofline.mjs results/FILE.json ../docs/figures/roofline.svg
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { measureMachine } from '../dist/cli/profile/machine.js';

const [from, to] = process.argv.slice(2);
if (to === undefined) {
  console.error('node roofline.mjs results/FILE.json OUT.svg');
  process.exit(2);
}
const run = JSON.parse(readFileSync(from, 'utf8'));
const machine = await measureMachine('wasm');
const memory = machine.bandwidth.at(-1).rate;

const points = run.measured.flatMap((w) => {
  const match = /^product-(\d+)x(\d+)x(\d+)$/.exec(w.name);
  if (match === null) return [];
  const [m, k, n] = match.slice(1).map(Number);
  const flops = 2 * m * k * n;
  const intensity = flops / (4 * (m * k + k * n + m * n));
  return w.results.map((r) => ({ name: r.name, what: w.what, intensity, rate: flops / r.milliseconds.median / 1e6 }));
});
if (points.length === 0) {
  console.error(`${from} has no products`);
  process.exit(1);
}

const [width, height, left, right, top, bottom] = [860, 470, 64, 150, 24, 52];
const range = (values, low, high) => [Math.min(low, ...values), Math.max(high, ...values)].map((x, i) => 10 ** (i === 0 ? Math.floor(Math.log10(x)) : Math.ceil(Math.log10(x)))); // prettier-ignore
const [x0, x1] = range(points.map((p) => p.intensity), 0.1, 1000); // prettier-ignore
const [y0, y1] = range(points.map((p) => p.rate), 0.1, machine.peak * 1.2); // prettier-ignore
const scale = (v, a, b, from, to) => from + ((Math.log(v) - Math.log(a)) / (Math.log(b) - Math.log(a))) * (to - from);
const px = (v) => scale(v, x0, x1, left, width - right).toFixed(1);
const py = (v) => scale(v, y0, y1, height - bottom, top).toFixed(1);
const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const decades = (a, b) => Array.from({ length: Math.round(Math.log10(b / a)) + 1 }, (_, i) => a * 10 ** i);
const colours = ['#d1495b', '#edae49', '#00798c', '#30638e', '#5c946e', '#8d6a9f', '#777777'];
const names = [...new Set(points.map((p) => p.name))];
const parts = [];
for (const x of decades(x0, x1))
  parts.push(
    `<line x1="${px(x)}" y1="${top}" x2="${px(x)}" y2="${height - bottom}" stroke="#8884"/><text x="${px(x)}" y="${height - bottom + 18}" text-anchor="middle">${x}</text>`,
  );
for (const y of decades(y0, y1))
  parts.push(
    `<line x1="${left}" y1="${py(y)}" x2="${width - right}" y2="${py(y)}" stroke="#8884"/><text x="${left - 8}" y="${Number(py(y)) + 4}" text-anchor="end">${y}</text>`,
  );
const knee = machine.peak / memory;
parts.push(
  `<polyline fill="none" stroke="currentColor" stroke-width="2" points="${px(x0)},${py(Math.max(y0, x0 * memory))} ${px(knee)},${py(machine.peak)} ${px(x1)},${py(machine.peak)}"/>`,
  `<text x="${px(knee)}" y="${Number(py(machine.peak)) - 7}">${machine.peak.toFixed(0)} GFLOP/s, ${memory.toFixed(0)} GB/s from memory</text>`,
);
for (const p of points) {
  const colour = colours[names.indexOf(p.name) % colours.length];
  const tip = `${p.name}, ${p.what}: ${p.rate.toPrecision(3)} GFLOP/s`;
  parts.push(`<circle cx="${px(p.intensity)}" cy="${py(p.rate)}" r="5" fill="${colour}"><title>${escape(tip)}</title></circle>`); // prettier-ignore
}
for (const [i, name] of names.entries()) {
  const y = top + 16 + 20 * i;
  parts.push(`<circle cx="${width - right + 18}" cy="${y - 4}" r="5" fill="${colours[i % colours.length]}"/><text x="${width - right + 30}" y="${y}">${escape(name)}</text>`); // prettier-ignore
}
parts.push(
  `<text x="${(left + width - right) / 2}" y="${height - 12}" text-anchor="middle">operations a byte</text>`,
  `<text transform="translate(16 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">GFLOP/s, one thread</text>`,
);
writeFileSync(
  to,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="currentColor" role="img" aria-label="Roofline of products">\n${parts.join('\n')}\n</svg>\n`,
);
console.log(`${to}: ${points.length} points; run of ${run.time}, load ${run.load.before} to ${run.load.after}`);
