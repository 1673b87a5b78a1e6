/** Walks over trees are the grammar's; here they are for the editor's features. */
export { contains, nodesOf, pathTo, walk, type AnyNode } from '../../grammar/walk.ts';
