/** Problems of the data family: code → facts. The prose is in `../render/data.ts`. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface DataProblems {}
