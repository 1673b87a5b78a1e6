declare module '*.nn?raw' {
  const text: string;
  export default text;
}
