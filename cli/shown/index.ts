/** All pages with files and commands, by code. */
import { shownBuilds } from './builds.ts';
import { shownCalls } from './calls.ts';
import { shownData } from './data.ts';
import { shownOptions } from './options.ts';
import type { Shown } from './shown.ts';

export const shown: Readonly<Record<string, Shown>> = { ...shownData, ...shownBuilds, ...shownCalls, ...shownOptions };
