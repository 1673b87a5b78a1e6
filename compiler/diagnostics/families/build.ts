/** Problems of the build family: code → facts. The prose is in `../render/build.ts`. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface BuildProblems {}
