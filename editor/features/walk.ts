/** Walks over trees are the grammar's; here they are for the editor's features. */
export { contains, pathTo, walk, type AnyNode } from '../../grammar/walk.ts';
