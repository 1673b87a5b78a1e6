/**
 * Bundles the server and the extension and packs them as `nn-language-VERSION.vsix`, without network. `node package.mjs [FOLDER]`.
 *
 * A .vsix is a ZIP of `extension/` with a manifest and a list of content types.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { rolldown } from 'rolldown';
import { zip } from './zip.mjs';

const here = import.meta.dirname;
const root = join(here, '../..');
const dist = join(here, 'dist');
const manifest = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
const bundle = async (input, output, external) => {
  const made = await rolldown({ input, external, platform: 'node', logLevel: 'warn' });
  await made.write({ ...output, codeSplitting: false, minify: true });
  await made.close();
};
await bundle(join(root, 'editor/main.ts'), { file: join(dist, 'server.mjs'), format: 'esm' }, []);
await bundle(join(here, 'extension.ts'), { file: join(dist, 'extension.cjs'), format: 'cjs' }, ['vscode']);
cpSync(join(root, 'grammar/nn.tmLanguage.json'), join(dist, 'nn.tmLanguage.json'));
cpSync(join(root, 'library'), join(dist, 'library'), { recursive: true });
cpSync(join(root, 'LICENSE'), join(dist, 'LICENSE.txt'));

const filesUnder = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile())
    .map((f) => join(f.parentPath, f.name))
    .sort();
const { devDependencies: _, scripts: __, ...published } = manifest;
const entries = [
  { name: 'extension/package.json', data: Buffer.from(JSON.stringify(published, null, 2)) },
  ...['language-configuration.json', 'README.md'].map((f) => ({
    name: `extension/${f}`,
    data: readFileSync(join(here, f)),
  })),
  ...filesUnder(dist).map((f) => ({
    name: `extension/${relative(here, f).replaceAll('\\', '/')}`,
    data: readFileSync(f),
  })),
];

const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
const vsixManifest = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011" xmlns:d="http://schemas.microsoft.com/developer/vsx-schema-design/2011">
  <Metadata>
    <Identity Language="en-US" Id="${manifest.name}" Version="${manifest.version}" Publisher="${manifest.publisher}" />
    <DisplayName>${escaped(manifest.displayName)}</DisplayName>
    <Description xml:space="preserve">${escaped(manifest.description)}</Description>
    <Tags>${escaped(manifest.keywords.join(','))},__ext_nn</Tags>
    <Categories>${escaped(manifest.categories.join(','))}</Categories>
    <GalleryFlags>Public</GalleryFlags>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${escaped(manifest.engines.vscode)}" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionDependencies" Value="" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionPack" Value="" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="workspace" />
      <Property Id="Microsoft.VisualStudio.Code.LocalizedLanguages" Value="" />
    </Properties>
    <License>extension/dist/LICENSE.txt</License>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code" /></Installation>
  <Dependencies />
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/README.md" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.License" Path="extension/dist/LICENSE.txt" Addressable="true" />
  </Assets>
</PackageManifest>
`;
const kinds = {
  json: 'application/json',
  vsixmanifest: 'text/xml',
  md: 'text/markdown',
  txt: 'text/plain',
  nn: 'text/plain',
  mjs: 'application/javascript',
  cjs: 'application/javascript',
};
const contentTypes = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${Object.entries(kinds)
  .map(([extension, type]) => `<Default Extension=".${extension}" ContentType="${type}" />`)
  .join('')}</Types>
`;
const archive = zip([
  { name: 'extension.vsixmanifest', data: Buffer.from(vsixManifest) },
  { name: '[Content_Types].xml', data: Buffer.from(contentTypes) },
  ...entries,
]);
const out = join(process.argv[2] ?? here, `${manifest.name}-${manifest.version}.vsix`);
writeFileSync(out, archive);
process.stdout.write(`${out}: ${entries.length} files, ${Math.round(archive.length / 1024)} KiB\n`);
