/**
 * Prettier's document builders, as this plugin uses them.
 *
 * A hard line here does not break the groups around it: a pipeline that ends in a `scan { … }` stays on its line, and the body of the scan
 * is written below it.
 */
import { builders, printer } from 'prettier/doc';

export type Doc = builders.Doc;

export const { line, softline, ifBreak } = builders;
export const literalline: Doc = builders.literallineWithoutBreakParent;
export const hardline: Doc = builders.hardlineWithoutBreakParent;
/** The end of a file, which Prettier takes away where it embeds one in another. */
export const fileEnd: Doc = builders.hardline;
export const group = (...content: Doc[]): Doc => builders.group(content);
export const indent = (...content: Doc[]): Doc => builders.indent(content);
/** The first of these that fits; the last where none does. */
export const firstThatFits = (...ways: Doc[]): Doc => builders.conditionalGroup(ways);
export const join = (separator: Doc, docs: readonly Doc[]): Doc => builders.join(separator, [...docs]);

export const layOut = (doc: Doc, printWidth: number): string =>
  printer.printDocToString(doc, { printWidth, tabWidth: 2 }).formatted;

/** On one line. */
export const flat = (doc: Doc): string => layOut(builders.group(doc), Infinity);
