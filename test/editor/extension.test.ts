/** What the extension says of itself agrees with the server, and its archive can be read by another reader of ZIP files. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { tokenTypes } from '../../editor/features/tokens.ts';
import { root } from './client.ts';

interface Manifest {
  readonly contributes: {
    readonly languages: readonly { readonly configuration: string }[];
    readonly semanticTokenTypes: readonly { readonly id: string }[];
    readonly configurationDefaults: {
      readonly 'editor.semanticTokenColorCustomizations': { readonly rules: Record<string, string> };
    };
  };
}

const folder = join(root, 'editor/vscode');
const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

describe('the manifest', () => {
  it('declares a colour for every axis token of the server, and no other', () => {
    const axes = tokenTypes.filter((t) => t.startsWith('nnAxis'));
    expect(manifest.contributes.semanticTokenTypes.map((t) => t.id)).toEqual(axes);
    const { rules } = manifest.contributes.configurationDefaults['editor.semanticTokenColorCustomizations'];
    expect(Object.keys(rules)).toEqual(axes.map((t) => `${t}:nn`));
    expect(new Set(Object.values(rules)).size).toBe(axes.length);
  });
  it('names files that exist', () => {
    for (const { configuration } of manifest.contributes.languages)
      expect(existsSync(join(folder, configuration))).toBe(true);
  });
});

describe('the archive', () => {
  it('holds each entry as it was, with its checksum and place', async () => {
    const { zip } = (await import('../../editor/vscode/zip.mjs' as string)) as {
      zip: (entries: readonly { name: string; data: Buffer }[]) => Buffer;
    };
    const entries = [
      { name: 'a.txt', data: Buffer.from('one') },
      { name: 'b/ä.bin', data: Buffer.from(Array.from({ length: 5000 }, (_, k) => (k * k) % 251)) },
      { name: 'empty', data: Buffer.alloc(0) },
    ];
    const archive = zip(entries);
    const end = archive.length - 22;
    expect(archive.readUInt32LE(end)).toBe(0x06054b50);
    expect(archive.readUInt16LE(end + 10)).toBe(entries.length);
    let at = archive.readUInt32LE(end + 16);
    for (const { name, data } of entries) {
      expect(archive.readUInt32LE(at)).toBe(0x02014b50);
      const packed = archive.readUInt32LE(at + 20);
      const length = archive.readUInt16LE(at + 28);
      expect(archive.toString('utf8', at + 46, at + 46 + length)).toBe(name);
      const local = archive.readUInt32LE(at + 42);
      expect(archive.readUInt32LE(local)).toBe(0x04034b50);
      const from = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      expect(inflateRawSync(archive.subarray(from, from + packed))).toEqual(data);
      at += 46 + length;
    }
    expect(at).toBe(end);
  });
});
