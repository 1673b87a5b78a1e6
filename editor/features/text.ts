/** The text with comments and strings blanked out, of the same length: for looking at brackets and words without parsing. */
export function blank(text: string): string {
  return text.replace(/\/\/[^\n]*|"(?:[^"\\\r\n]|\\.)*"?/g, (m) =>
    m.startsWith('"') ? `"${' '.repeat(Math.max(0, m.length - 2))}${m.length > 1 ? '"' : ''}` : ' '.repeat(m.length),
  );
}

/** Is this offset in a comment or a string? */
export function isProse(text: string, offset: number): 'comment' | 'string' | null {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  let inString = false;
  for (let i = 0; i < line.length; i++) {
    if (inString) {
      if (line[i] === '\\') i++;
      else if (line[i] === '"') inString = false;
    } else if (line[i] === '"') inString = true;
    else if (line[i] === '/' && line[i + 1] === '/') return 'comment';
  }
  return inString ? 'string' : null;
}
