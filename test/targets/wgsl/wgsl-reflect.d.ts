/** The package's types name its other entry only. */
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export { detectRaces } from 'wgsl_reflect';
}
