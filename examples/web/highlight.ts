/** A program as HTML, coloured; for looks only (the editor extension has a grammar of its own). */
const PATTERN =
  /(\/\/.*)|\b(model|train|block|fn|let|return|input|minimize|metric|optimizer|batch|epochs|validate|param|state|repeat|scan|if|else|where|and|or|not|mean|sum|argmax|max|min|float|i32)\b|(\b\d[\d.e-]*)|\b([A-Za-z_]\w*)(?=\()/g;
const KINDS = ['c', 'k', 'n', 'f'];

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

export function highlighted(source: string): string {
  let out = '';
  let last = 0;
  for (const match of source.matchAll(PATTERN)) {
    const kind = KINDS[match.slice(1).findIndex((group) => group !== undefined)]!;
    out += `${escaped(source.slice(last, match.index))}<span class="${kind}">${escaped(match[0])}</span>`;
    last = match.index + match[0].length;
  }
  return out + escaped(source.slice(last));
}
