/** Any text gives a module: mutilated programs neither throw nor hang, and every span lies in the text. */
import { expect, test } from 'vitest';
import { parse } from '../../grammar/parse.ts';
import { printModule } from '../../editor/prettier-plugin/print.ts';
import { bare, mutilate, programs, randomFrom, spansOf } from './support.ts';

const count = Number(process.env['NNC_MUTATIONS'] ?? 4000);

test(`${count} mutilated programs`, { timeout: 3_600_000 }, () => {
  const random = randomFrom(20260727);
  let clean = 0;
  let single = 0;
  for (let n = 0; n < count; n++) {
    const text = mutilate(programs[n % programs.length]!.text, random);
    const context = (): string => `mutation ${n} of ${programs[n % programs.length]!.name}:\n${text}`;
    let result: ReturnType<typeof parse>;
    try {
      result = parse({ id: 7, text });
    } catch (error) {
      throw new Error(context(), { cause: error });
    }
    const { module, problems } = result;
    for (const span of [...spansOf(module.declarations), ...spansOf(module.comments), ...spansOf(problems)]) {
      const inside = span.start >= 0 && span.start <= span.end && span.end <= text.length && span.file === 7;
      if (!inside) throw new Error(`span ${span.start}..${span.end} of ${text.length}: ${context()}`);
    }
    if (problems.length === 1) single++;
    const holes = JSON.stringify(module).includes('"kind":"bad"');
    if (holes && problems.length === 0) throw new Error(`a hole without a report: ${context()}`);
    if (problems.length === 0) {
      clean++;
      const printed = printModule(module);
      const again = parse({ id: 7, text: printed });
      if (
        again.problems.length > 0 ||
        JSON.stringify(bare(again.module.declarations)) !== JSON.stringify(bare(module.declarations))
      ) {
        throw new Error(`printing changed it to\n${printed}\n${context()}`);
      }
      if (printModule(again.module) !== printed)
        throw new Error(`no fixpoint:\n${printed}\n${printModule(again.module)}\n${context()}`);
      const comments = module.comments.length;
      if (again.module.comments.length !== comments) throw new Error(`a comment was lost: ${context()}`);
    }
  }
  // The generator must do both: break programs, and leave some whole so that the printer is tried on them.
  expect(clean).toBeGreaterThan(count / 50);
  expect(single).toBeGreaterThan(count / 4);
});
