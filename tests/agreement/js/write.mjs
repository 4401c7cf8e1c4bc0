// Archives by the ZIP writers of npm. usage: node write.mjs TREE OUT_DIR
// TREE holds the files; each writer makes OUT_DIR/NAME.zip of all of them.
import { File } from 'node:buffer';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipArchive } from 'archiver';
import { downloadZip, makeZip } from 'client-zip';
import * as zipjs from '@zip.js/zip.js';

globalThis.File ??= File; // client-zip asks for it; Debian 12's node 18 has it in a module only

const require = createRequire(import.meta.url);
const AdmZip = require('adm-zip');
const JSZip = require('jszip');
const fflate = require('fflate');
const yazl = require('yazl');

const [, , tree, outDir] = process.argv;
const DATE = new Date(2024, 0, 2, 3, 4, 6);

// [{name, data}] in the order of names; a directory's name ends in '/'.
function walk(dir, prefix = '') {
  return fs.readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((e) => {
      const full = path.join(dir, e.name);
      const name = prefix + e.name;
      return e.isDirectory()
        ? [{ name: `${name}/`, data: Buffer.alloc(0) }, ...walk(full, `${name}/`)]
        : [{ name, data: fs.readFileSync(full) }];
    });
}

const entries = walk(tree);
const files = entries.filter((e) => !e.name.endsWith('/'));
const dirs = entries.filter((e) => e.name.endsWith('/'));

function jszip(options) {
  const z = new JSZip();
  for (const { name } of dirs) z.file(name, null, { dir: true, date: DATE });
  for (const { name, data } of files) z.file(name, data, { date: DATE, createFolders: false });
  return z.generateAsync({ type: 'nodebuffer', ...options });
}

function archiver(options) {
  const z = new ZipArchive(options);
  const done = buffer(z);
  for (const { name, data } of entries) {
    z.append(data, { name, date: DATE, type: name.endsWith('/') ? 'directory' : 'file' });
  }
  z.finalize();
  return done;
}

function yazlArchive(options) {
  const z = new yazl.ZipFile();
  const done = buffer(z.outputStream);
  for (const { name } of dirs) z.addEmptyDirectory(name, { mtime: DATE });
  for (const { name, data } of files) z.addBuffer(data, name, { mtime: DATE, ...options });
  z.end();
  return done;
}

function yazlStream() {
  const z = new yazl.ZipFile();
  const done = buffer(z.outputStream);
  for (const { name } of files) z.addFile(path.join(tree, name), name, { mtime: DATE });
  z.end();
  return done;
}

function fflateSync(options) {
  const all = Object.fromEntries(entries.map((e) => [e.name, [e.data, { mtime: DATE, ...options }]]));
  return fflate.zipSync(all);
}

function fflateStream() {
  const parts = [];
  const z = new fflate.Zip((error, part) => parts.push(part));
  for (const { name, data } of entries) {
    const one = data.length ? new fflate.ZipDeflate(name) : new fflate.ZipPassThrough(name);
    one.mtime = DATE;
    z.add(one);
    one.push(data, true);
  }
  z.end();
  return Buffer.concat(parts);
}

function admZip() {
  const z = new AdmZip();
  for (const { name, data } of entries) z.addFile(name, data);
  for (const e of z.getEntries()) e.header.time = DATE;
  return z.toBuffer();
}

async function zipJs(options) {
  const out = new zipjs.Uint8ArrayWriter();
  const z = new zipjs.ZipWriter(out, { lastModDate: DATE, useWebWorkers: false, ...options });
  for (const { name, data } of entries) {
    const directory = name.endsWith('/');
    await z.add(name, directory ? undefined : new zipjs.Uint8ArrayReader(data), { directory });
  }
  return z.close();
}

function clientZip() {
  const input = entries.map(({ name, data }) =>
    (name.endsWith('/') ? { name, lastModified: DATE } : { name, input: data, lastModified: DATE }));
  return new Response(makeZip(input)).arrayBuffer();
}

function clientZipResponse() {
  const input = files.map(({ name, data }) => ({ name, input: data, lastModified: DATE }));
  return downloadZip(input).arrayBuffer();
}

const writers = {
  jszip: () => jszip({ compression: 'DEFLATE' }),
  'jszip-stored': () => jszip({}),
  'jszip-stream': () => jszip({ compression: 'DEFLATE', streamFiles: true }),
  'jszip-unix': () => jszip({ compression: 'DEFLATE', platform: 'UNIX' }),
  archiver: () => archiver({ zlib: { level: 9 } }),
  'archiver-stored': () => archiver({ store: true }),
  yazl: () => yazlArchive({}),
  'yazl-stored': () => yazlArchive({ compress: false }),
  'yazl-stream': () => yazlStream(),
  fflate: () => fflateSync({ level: 6 }),
  'fflate-stored': () => fflateSync({ level: 0 }),
  'fflate-stream': () => fflateStream(),
  'adm-zip': () => admZip(),
  'zip.js': () => zipJs({}),
  'zip.js-stored': () => zipJs({ level: 0 }),
  'zip.js-no-descriptor': () => zipJs({ dataDescriptor: false, extendedTimestamp: false }),
  'client-zip': () => clientZip(),
  'client-zip-response': () => clientZipResponse(),
};

for (const [name, make] of Object.entries(writers)) {
  fs.writeFileSync(path.join(outDir, `${name}.zip`), Buffer.from(await make()));
}
