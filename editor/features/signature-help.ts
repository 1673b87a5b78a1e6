/** The signature of the call being written, with the parameter that the pointer is at. */
import type { Callable, Parameter } from '../../grammar/ast.ts';
import type { Analysis } from '../analysis.ts';
import { argumentName, callSite, type CallSite } from './call-site.ts';
import { callableOf } from './names.ts';
import { oneLine, signatureText } from './show.ts';
import { visibleAt } from './scope.ts';

export interface SignatureHelp {
  readonly label: string;
  readonly doc: string | null;
  /** Places of the parameters in the label. */
  readonly parameters: readonly (readonly [number, number])[];
  /** Which of them; null where the call has more arguments than parameters. */
  readonly active: number | null;
}

export interface Callee {
  readonly callable: Callable;
  /** The list that the bracket is. */
  readonly list: readonly Parameter[];
}

/** What is called there, and which of its lists the bracket is. */
export function calleeAt(a: Analysis, site: CallSite, offset: number): Callee | null {
  const found = visibleAt(a, offset).find((v) => v.name === site.callee);
  if (found === undefined) return null;
  const d = found.declaration;
  if (d === null) {
    const callable = callableOf(found.type);
    return callable === null ? null : { callable, list: callable.parameters };
  }
  if (
    d.kind === 'const' ||
    d.kind === 'train' ||
    d.kind === 'import' ||
    d.kind === 'bad' ||
    d.kind === 'checkpoint' ||
    d.kind === 'storage'
  )
    return null;
  return { callable: d, list: d.config === null || site.second ? d.parameters : d.config };
}

export function signatureHelp(a: Analysis, offset: number): SignatureHelp | null {
  const site = callSite(a.text, offset);
  if (site === null) return null;
  const callee = calleeAt(a, site, offset);
  if (callee === null) return null;
  const { callable, list } = callee;
  const label = signatureText(a.sources, callable);
  const lists = [...(callable.config ?? []), ...callable.parameters];
  const parameters = places(
    label,
    lists.map((p) => oneLine(a.sources.text(p.span))),
  );
  const current = site.arguments.at(-1) ?? '';
  const name = argumentName(current);
  const inList =
    name === null ? site.arguments.length - 1 + skipped(site, callee) : list.findIndex((p) => p.name.text === name);
  const parameter = list[inList];
  return { label, doc: callable.doc, parameters, active: parameter === undefined ? null : lists.indexOf(parameter) };
}

/** The value of a pipe takes the first place in the list of tensors. */
function skipped(site: CallSite, { callable, list }: Callee): number {
  return site.piped && list === callable.parameters ? 1 : 0;
}

function places(label: string, texts: readonly string[]): [number, number][] {
  let from = label.indexOf('(');
  return texts.map((text) => {
    const at = label.indexOf(text, from);
    if (at < 0) return [0, 0];
    from = at + text.length;
    return [at, from];
  });
}
