// The server seen by @grpc/grpc-js. usage: node matrix.js PROTO_DIR ADDRESS [CA_FILE]
// Prints one line a test, "ok NAME" or "not ok NAME: why"; exits 1 when one failed.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const zlib = require('node:zlib');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [, , protoDir, address, caFile] = process.argv;
const PATIENCE = Number(process.env.PATIENCE || 1);
const MIB = 1 << 20;
const UNLIMITED = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

function load(...files) {
  return grpc.loadPackageDefinition(loader.loadSync(files, {
    includeDirs: [protoDir], keepCase: true, longs: Number, enums: String, defaults: true,
  }));
}

const definitions = load('ai/stigmer/agentic/skill/v1/command.proto',
  'ai/stigmer/agentic/skill/v1/query.proto');
const { SkillCommandController, SkillQueryController } = definitions.ai.stigmer.agentic.skill.v1;
const { Health } = load('grpc/health/v1/health.proto').grpc.health.v1;
const { ServerReflection } = load('grpc/reflection/v1/reflection.proto').grpc.reflection.v1;

const credentials = () => (caFile
  ? grpc.credentials.createSsl(fs.readFileSync(caFile))
  : grpc.credentials.createInsecure());
// Clients share connections unless their options differ: each connection gets a number.
let connections = 0;

function connect(options = {}) {
  const all = { ...UNLIMITED, 'test.connection': connections++, ...options };
  const make = (Service) => new Service(address, credentials(), all);
  return {
    commands: make(SkillCommandController),
    queries: make(SkillQueryController),
    health: make(Health),
    reflection: make(ServerReflection),
  };
}

function call(client, method, request, options = {}) {
  return new Promise((resolve, reject) => {
    client[method](request, new grpc.Metadata(), options,
      (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

function collect(stream) {
  return new Promise((resolve, reject) => {
    const parts = [];
    stream.on('data', (chunk) => parts.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => resolve(parts));
  });
}

async function fails(code, text, promise) {
  const error = await promise.then(() => null, (e) => e);
  assert.ok(error, `expected ${grpc.status[code]}, the call succeeded`);
  assert.equal(grpc.status[error.code], grpc.status[code], error.details);
  assert.ok(error.details.includes(text), `"${text}" in "${error.details}"`);
}

// --- archives ------------------------------------------------------------------------------------

function stored(name, data, offset) {
  const fixed = Buffer.alloc(26);
  fixed.writeUInt16LE(20, 0);
  fixed.writeUInt16LE(0x800, 2);
  fixed.writeUInt16LE(0x21, 8);
  fixed.writeUInt32LE(crc32(data), 10);
  fixed.writeUInt32LE(data.length, 14);
  fixed.writeUInt32LE(data.length, 18);
  fixed.writeUInt16LE(name.length, 22);
  const after = Buffer.alloc(14);
  after.writeUInt32LE(0o100644 * 65536, 6);
  after.writeUInt32LE(offset, 10);
  return {
    local: Buffer.concat([Buffer.from('PK\x03\x04'), fixed, Buffer.from(name), data]),
    header: Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), fixed, after, Buffer.from(name)]),
  };
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(data) {
  if (zlib.crc32) return zlib.crc32(data);
  let c = 0xffffffff;
  for (const byte of data) c = CRC_TABLE[(c ^ byte) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function archive(text, size = 0) {
  const md = Buffer.from(`---\nname: js\ndescription: From JavaScript.\n---\n\n${text}\n`);
  const one = stored('SKILL.md', md, 0);
  const entries = [one];
  if (size) entries.push(stored('bulk.bin', crypto.randomBytes(size), one.local.length));
  const locals = Buffer.concat(entries.map((e) => e.local));
  const directory = Buffer.concat(entries.map((e) => e.header));
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(locals.length, 16);
  return Buffer.concat([locals, directory, end]);
}

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');

// --- tests ---------------------------------------------------------------------------------------

const one = archive('one');
const two = archive('two');
const main = connect();
const push = (name, artifact, more = {}, client = main) =>
  call(client.commands, 'push', { name, artifact, ...more });
const get = (method, request, client = main) => call(client.queries, method, request);

const tests = {
  async 'push get resolve list versions'() {
    const first = await push('JS Skill', one, { org: 'js', tag: 'a', scope: 'organization' });
    const second = await push('JS Skill', two, { org: 'js', tag: 'b', scope: 'organization' });
    assert.equal(first.metadata.slug, 'js-skill');
    assert.equal(first.status.version_hash, sha256(one));
    assert.equal(first.status.state, 'SKILL_STATE_READY');
    assert.deepEqual(await get('get', { value: first.metadata.id }), second);
    const reference = { slug: 'js-skill', org: 'js', scope: 'organization', kind: 'skill' };
    for (const [version, hash] of [['', two], ['latest', two], ['a', one], [sha256(one), one]]) {
      const found = await get('getByReference', { ...reference, version });
      assert.equal(found.status.version_hash, sha256(hash), version);
    }
    const key = { slug: 'js-skill', org: 'js' };
    assert.deepEqual(await get('getByTag', { ...key, tag: 'b' }), second);
    assert.deepEqual(await get('getByHash', { ...key, version_hash: sha256(two) }), second);
    assert.deepEqual((await get('findAll', { org: 'js' })).items, [second]);
    const history = await get('listVersions', { reference });
    assert.deepEqual(history.items.map((v) => v.version_hash), [sha256(two), sha256(one)]);
    await call(main.commands, 'moveTag', { reference: { ...reference, version: 'a' }, tag: 'b' });
    assert.equal((await get('getByTag', { ...key, tag: 'b' })).status.version_hash, sha256(one));
  },

  async 'files of a version, page by page'() {
    await push('Files', archive('files', 1000), { org: 'js' });
    const reference = { slug: 'files', org: 'js' };
    const first = await get('listFiles', { reference, page_size: 1 });
    assert.deepEqual(first.items.map((f) => [f.path, f.mode]), [['SKILL.md', 0o644]]);
    const page_token = first.next_page_token;
    const second = await get('listFiles', { reference, page_token });
    assert.deepEqual(second.items.map((f) => [f.path, f.size]), [['bulk.bin', 1000]]);
    assert.match(second.items[0].sha256, /^[0-9a-f]{64}$/);
    assert.deepEqual([second.total, second.next_page_token], [2, '']);
    await fails(grpc.status.NOT_FOUND, 'skill not found: nope',
      get('listFiles', { reference: { slug: 'nope' } }));
  },

  async 'download, whole and in chunks'() {
    const data = archive('download', 5 * MIB);
    const { status } = await push('Download', data);
    const request = { artifact_storage_key: status.artifact_storage_key };
    assert.ok((await get('getArtifact', request)).artifact.equals(data));
    const chunks = await collect(main.queries.streamArtifact(request));
    assert.ok(Buffer.concat(chunks.map((c) => c.data)).equals(data));
  },

  async 'default message limit is met by streaming'() {
    const data = archive('limit', 5 * MIB);
    const { status } = await push('Limit', data);
    const narrow = connect({ 'grpc.max_receive_message_length': 4 * MIB });
    const request = { artifact_storage_key: status.artifact_storage_key };
    await fails(grpc.status.RESOURCE_EXHAUSTED, '', get('getArtifact', request, narrow));
    const chunks = await collect(narrow.queries.streamArtifact(request));
    assert.ok(Buffer.concat(chunks.map((c) => c.data)).equals(data));
  },

  async '95 MiB both ways'() {
    const data = archive('large', 95 * MIB);
    const { status } = await push('Large', data);
    assert.equal(status.version_hash, sha256(data));
    const request = { artifact_storage_key: status.artifact_storage_key };
    assert.ok((await get('getArtifact', request)).artifact.equals(data));
    const hash = crypto.createHash('sha256');
    for (const chunk of await collect(main.queries.streamArtifact(request))) hash.update(chunk.data);
    assert.equal(hash.digest('hex'), sha256(data));
  },

  async 'gzip messages'() {
    const gzip = connect({ 'grpc.default_compression_algorithm': 2 });
    const data = archive('gzip', 2 * MIB);
    const { status } = await push('Gzip', data, {}, gzip);
    assert.equal(status.version_hash, sha256(data));
    const request = { artifact_storage_key: status.artifact_storage_key };
    assert.ok((await get('getArtifact', request, gzip)).artifact.equals(data));
  },

  async 'delete'() {
    const { metadata } = await push('Gone', one);
    assert.equal((await call(main.commands, 'delete', { value: metadata.id })).metadata.slug, 'gone');
    await fails(grpc.status.NOT_FOUND, `Skill not found: ${metadata.id}`,
      get('get', { value: metadata.id }));
  },

  async 'errors'() {
    const { status } = grpc;
    await fails(status.INVALID_ARGUMENT, 'validation error: name: value is required', push('', one));
    await fails(status.INVALID_ARGUMENT, 'failed to extract SKILL.md', push('x', Buffer.from('x')));
    await fails(status.INVALID_ARGUMENT, 'invalid skill name: 你好', push('你好', one));
    await fails(status.NOT_FOUND, 'skill not found: nope', get('getByReference', { slug: 'nope' }));
    await fails(status.NOT_FOUND, 'skill artifact not found: ../../etc/passwd',
      get('getArtifact', { artifact_storage_key: '../../etc/passwd' }));
    await fails(status.RESOURCE_EXHAUSTED, String(101 * MIB), push('x', Buffer.alloc(101 * MIB + 1)));
  },

  async 'deadline'() {
    const watch = main.health.Watch({ service: '' }, { deadline: Date.now() + 300 * PATIENCE });
    await fails(grpc.status.DEADLINE_EXCEEDED, '', collect(watch));
  },

  async 'cancellation'() {
    const watch = main.health.Watch({ service: '' });
    const ended = collect(watch);
    setTimeout(() => watch.cancel(), 100);
    await fails(grpc.status.CANCELLED, '', ended);
    const large = archive('cancelled', 50 * MIB);
    await fails(grpc.status.CANCELLED, '', new Promise((resolve, reject) => {
      const c = main.commands.push({ name: 'Cancelled', artifact: large },
        (error, answer) => (error ? reject(error) : resolve(answer)));
      setImmediate(() => c.cancel());
    }));
    await fails(grpc.status.NOT_FOUND, '', get('getByReference', { slug: 'cancelled' }));
  },

  async '100 parallel calls on one connection'() {
    const { metadata } = await push('Parallel', one);
    const own = connect();
    const gets = Array.from({ length: 100 }, () => get('get', { value: metadata.id }, own));
    for (const answer of await Promise.all(gets)) assert.equal(answer.metadata.slug, 'parallel');
    const pushes = Array.from({ length: 100 }, (_, n) => push(`P ${n}`, archive(`${n}`), {}, own));
    assert.equal(new Set((await Promise.all(pushes)).map((a) => a.metadata.id)).size, 100);
  },

  async 'health and reflection'() {
    assert.equal((await call(main.health, 'Check', { service: '' })).status, 'SERVING');
    await fails(grpc.status.NOT_FOUND, '', call(main.health, 'Check', { service: 'no.Such' }));
    const stream = main.reflection.ServerReflectionInfo();
    const answers = collect(stream);
    stream.write({ list_services: '*' });
    stream.end();
    const names = (await answers)[0].list_services_response.service.map((s) => s.name);
    assert.ok(names.includes('ai.stigmer.agentic.skill.v1.SkillQueryController'), names.join());
  },
};

async function run() {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const line = await test().then(() => `ok ${name}`, (e) => `not ok ${name}: ${e.stack}`);
    failed += line.startsWith('not');
    console.log(line);
  }
  process.exit(failed ? 1 : 0);
}

run();
