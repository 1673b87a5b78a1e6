/**
 * Prints `tests: N passed, N failed, N skipped` from Vitest's JSON reports, and decides: fails when a test or a file failed, when another
 * stage failed before, and when no test passed.
 *
 *   node .ci/count.mjs failed-stages report.json …
 */
import { readFileSync } from 'node:fs';

const [failedStages, ...paths] = process.argv.slice(2);
let unreadable = 0;
const results = paths.flatMap((path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults;
  } catch (error) {
    console.log(`the test runner left no report: ${error.message}`);
    unreadable++;
    return [];
  }
});
const tests = results.flatMap((file) => file.assertionResults);
// A file that cannot be loaded has no tests of its own, and still is a failure.
const broken = results.filter(
  (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
);
for (const { name, message } of broken) console.log(`${name} failed outside its tests: ${message}`);

const passed = tests.filter((test) => test.status === 'passed').length;
const failed = tests.filter((test) => test.status === 'failed').length + broken.length;
const skipped = tests.length - passed - (failed - broken.length);
if (passed === 0) console.log('no test passed');
console.log(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 || unreadable > 0 || passed === 0 || failedStages !== '0' ? 1 : 0);
