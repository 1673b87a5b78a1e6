/**
 * A module's class under the name that the user gave the unit, whatever else the module calls by that name: its runtime's classes and types (`Gates`, `Result`), what the
 * language has (`Map`, `delete`), its kernels. Such a class has a name of its own inside, and is exported under the user's; the runtime's type is not exported then.
 */

import type { Plan } from '../../runtime/plan.ts';

/** What no class can be called, though an export can. */
const WORDS = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in ' +
    'instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield ' +
    'any boolean never number object string symbol undefined unknown'
  ).split(' '),
);

const escaped = (text: string): string => text.replace(/\$/g, '\\$');

/** `others`: the text of the runtime. `declared`: names that the module has besides. `lines`: the class, exported, by the name that it gets. */
export function named(
  name: string,
  others: string,
  declared: readonly string[],
  lines: (own: string) => readonly string[],
): { readonly lines: readonly string[]; readonly others: string } {
  const isUsed = (text: string): boolean =>
    WORDS.has(text) || declared.includes(text) || new RegExp(`(?<![\\w$])${escaped(text)}(?![\\w$])`).test(others);
  if (!isUsed(name)) return { lines: lines(name), others };
  let own = `${name}Unit`;
  while (isUsed(own)) own += '_';
  const made = lines(own).map((line) => line.replace(/^export (?=(?:declare )?class )/, ''));
  const exported = new RegExp(
    `^export (?=(?:declare )?(?:abstract )?(?:class|interface|type|const|function) ${escaped(name)}(?![\\w$]))`,
    'gm',
  );
  return { lines: [...made, `export { ${own} as ${name} };`], others: others.replace(exported, '') };
}

/** What modules call their own data. */
export const MODULE_NAMES = [
  'plan',
  'kernels',
  'table',
  'limits',
  'builds',
  'instances',
  'allocate',
  'bind',
  'memory',
  'bytes',
  'packed',
  'unpacked',
  'predicted',
  'code',
  'relaxed',
  'tile',
  'programs',
  'together',
  'tiles',
  'kept',
  'leaves',
  'buffers',
  'end',
  'before',
  'erf',
  'floorDivide',
  'modulo',
];

/** The .d.ts beside a module: its class, then the runtime's types. */
export function declared(plan: Plan, types: string, lines: (plan: Plan) => readonly string[]): string {
  const made = named(plan.name, types, [], (name) => lines({ ...plan, name }));
  return [...made.lines, '', made.others].join('\n');
}

/** The class of a module that `named` made, and its text without exports: for who puts it into a function. */
export function unexported(name: string, code: string): { readonly own: string; readonly code: string } {
  let own = name;
  const text = code.replace(/^export \{ (\S+) as \S+ \};$/m, (_all, inside: string) => {
    own = inside;
    return '';
  });
  return { own, code: text.replace(/^export /gm, '') };
}
