/** Data for the command line: open files, meet inputs. */
export type { Column, ColumnData, Dataset, Reading } from './dataset.ts';
export { openColumns, openData, openOptions, readData, type OpenOptions } from './open.ts';
export { meetInputs, type InputSpec, type Meeting, type SizeFormula } from './meet.ts';
