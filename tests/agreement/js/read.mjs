// What yauzl, fflate and jszip see. usage: node read.mjs <LIST   (README.md, "Readers")
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { buffer } from 'node:stream/consumers';

const require = createRequire(import.meta.url);
const JSZip = require('jszip');
const fflate = require('fflate');
const yauzl = require('yauzl');

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const entry = (name, directory, data) => [name, directory ? 'd' : 'f', directory ? null : sha256(data)];

async function readJszip(bytes) {
  const z = await JSZip.loadAsync(bytes, { checkCRC32: true });
  return Promise.all(Object.values(z.files).map(async (f) =>
    entry(f.name, f.dir, f.dir ? null : await f.async('nodebuffer'))));
}

function readFflate(bytes) {
  return Object.entries(fflate.unzipSync(bytes))
    .map(([name, data]) => entry(name, name.endsWith('/'), data));
}

function readYauzl(bytes) {
  return new Promise((resolve, reject) => {
    yauzl.fromBuffer(bytes, { lazyEntries: true }, (error, z) => {
      if (error) return reject(error);
      const tree = [];
      z.on('error', reject);
      z.on('end', () => resolve(tree));
      z.on('entry', (e) => {
        const directory = e.fileName.endsWith('/');
        const next = (data) => {
          tree.push(entry(e.fileName, directory, data));
          z.readEntry();
        };
        if (directory) return next();
        z.openReadStream(e, (failed, stream) => (failed
          ? reject(failed)
          : buffer(stream).then(next, reject)));
      });
      z.readEntry();
    });
  });
}

const readers = { jszip: readJszip, fflate: readFflate, yauzl: readYauzl };

for await (const path of readline.createInterface({ input: process.stdin })) {
  const bytes = fs.readFileSync(path);
  for (const [reader, read] of Object.entries(readers)) {
    let said;
    try {
      said = { tree: await read(bytes) };
    } catch (error) {
      said = { error: String(error) };
    }
    console.log(JSON.stringify({ reader, ...said }));
  }
}
