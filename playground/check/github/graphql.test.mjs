// GraphQL with Octokit; its schema held against GitHub's own.
import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import {Octokit} from 'octokit';
import {buildClientSchema, buildSchema, getIntrospectionQuery, isEnumType, isInputObjectType, isScalarType, isInterfaceType, isObjectType, parse, validate} from 'graphql';
import {schema as described} from '@octokit/graphql-schema';
import {start} from './server.mjs';

let server, octokit, theirs;
before(async () => {
  server = await start();
  octokit = new Octokit({auth: server.writer, baseUrl: `${server.url}/api/v3`, retry: {enabled: false}, throttle: {enabled: false}});
  theirs = buildSchema(described.idl, {assumeValidSDL: true}); // it names two fields twice
});
after(() => server.stop());

// Asks what GitHub would understand too.
async function ask(query, variables) {
  assert.deepEqual(validate(theirs, parse(query)).map(String), []);
  return octokit.graphql(query, variables);
}

test('every type, field, argument and default is one of GitHub\'s', async () => {
  const ours = buildClientSchema(await octokit.graphql(getIntrospectionQuery()));
  const complaints = [];
  const same = (what, a, b) => { if (String(a) !== String(b)) complaints.push(`${what} is ${a}; GitHub has ${b}`); };
  for (const type of Object.values(ours.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    const twin = theirs.getType(type.name);
    if (!twin) { complaints.push(`no type ${type.name}`); continue; }
    same(type.name, type.constructor.name, twin.constructor.name);
    if (isScalarType(type) || isEnumType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const other = twin.getFields()[field.name];
      const name = `${type.name}.${field.name}`;
      if (!other) { complaints.push(`no field ${name}`); continue; }
      same(name, field.type, other.type);
      for (const a of field.args ?? []) {
        const b = other.args.find((x) => x.name === a.name);
        if (!b) complaints.push(`no argument ${name}(${a.name})`);
        else same(`${name}(${a.name})`, `${a.type}`, `${b.type}`);
      }
    }
    if (isInputObjectType(type)) {
      for (const other of Object.values(twin.getFields())) {
        if (String(other.type).endsWith('!') && other.defaultValue === undefined && !type.getFields()[other.name]) complaints.push(`${type.name} lacks ${other.name}`);
      }
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const i of type.getInterfaces()) if (!twin.getInterfaces().some((x) => x.name === i.name)) complaints.push(`${type.name} is no ${i.name}`);
    }
  }
  assert.deepEqual(complaints, []);
});

const HEAD = `query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) {
  id nameWithOwner isPrivate defaultBranchRef { name prefix }
  ref(qualifiedName: "refs/heads/main") { id target { __typename oid ... on Commit {
    tree { oid entries { name type mode oid object { __typename ... on Blob { byteSize } } } }
    messageHeadline author { name email date } history(first: 2) { totalCount nodes { oid } pageInfo { hasNextPage endCursor } } } } } } }`;
const COMMIT = `mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid url } ref { name } } }`;
const at = {owner: 'acme', name: 'fleet'};
const head = async () => (await ask(HEAD, at)).repository;
const base64 = (s) => Buffer.from(s).toString('base64');
const input = (expectedHeadOid, fileChanges, branchName = 'main') => ({input: {
  branch: {repositoryNameWithOwner: 'acme/fleet', branchName}, message: {headline: 'promote', body: 'why'}, expectedHeadOid, fileChanges}});

test('head, tree and history in one query', async () => {
  const {ref, nameWithOwner, defaultBranchRef} = await head();
  assert.equal(nameWithOwner, 'acme/fleet');
  assert.deepEqual(defaultBranchRef, {name: 'main', prefix: 'refs/heads/'});
  assert.equal(ref.target.__typename, 'Commit');
  assert.deepEqual(ref.target.tree.entries.map((e) => [e.name, e.type, e.mode]), [
    ['README.md', 'blob', 0o100644], ['apps', 'tree', 0o40000], ['bin', 'tree', 0o40000], ['logo.bin', 'blob', 0o100644]]);
});

test('many blobs by aliases, and what is not text', async () => {
  const aliases = Array.from({length: 100}, (_, i) => `b${i}: object(expression: "main:README.md") { ... on Blob { text byteSize isBinary isTruncated oid } }`);
  const {repository} = await ask(`{ repository(owner: "acme", name: "fleet") { ${aliases.join('\n')}
    logo: object(expression: "main:logo.bin") { ... on Blob { text isBinary } } gone: object(expression: "main:none") { oid } } }`);
  assert.equal(repository.b99.text, '# fleet\n');
  assert.deepEqual(repository.logo, {text: null, isBinary: true});
  assert.equal(repository.gone, null);
});

test('createCommitOnBranch: once, and STALE_DATA the second time', async () => {
  const before = (await head()).ref.target.oid;
  const change = input(before, {additions: [{path: 'apps/prod/x.yaml', contents: base64('x: 1\n')}], deletions: [{path: 'logo.bin'}]});
  const {createCommitOnBranch: {commit}} = await ask(COMMIT, change);
  assert.equal(commit.oid, (await head()).ref.target.oid);
  assert.match(commit.url, new RegExp(`^${server.url}/acme/fleet/commit/${commit.oid}$`));
  await assert.rejects(ask(COMMIT, change), (e) => {
    assert.deepEqual(e.errors.map(({type, path, message}) => ({type, path, message})), [{type: 'STALE_DATA', path: ['createCommitOnBranch'],
      message: `Expected branch to point to "${before}" but it did not.  Pull and try again.`}]);
    assert.equal(e.data.createCommitOnBranch, null);
    return true;
  });
});

test('updateRefs is exact', async () => {
  const old = (await head()).ref.target.oid;
  const now = await server.push('main', 'counter', '1');
  const query = `mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }`;
  const move = async (beforeOid, afterOid, force) => ask(query, {input: {repositoryId: (await head()).id, clientMutationId: 'm',
    refUpdates: [{name: 'refs/heads/main', beforeOid, afterOid, force}]}});
  await assert.rejects(move(old, now, false));
  await assert.rejects(move(now, old, false));
  assert.equal((await move(now, old, true)).updateRefs.clientMutationId, 'm');
  await move(old, now, false);
  assert.equal((await head()).ref.target.oid, now);
});

const AUTO = `mutation($input: EnablePullRequestAutoMergeInput!) { enablePullRequestAutoMerge(input: $input) {
  pullRequest { number state merged isDraft headRefName headRefOid autoMergeRequest { mergeMethod enabledAt commitHeadline } } } }`;
const PULL = `query($number: Int!) { repository(owner: "acme", name: "fleet") { pullRequest(number: $number) { id state merged title url baseRefName mergeCommit { oid message } } } }`;

test('auto-merge: refused when there is nothing to wait for, done when that is over', async () => {
  const open = async (base, branch) => {
    const sha = await server.push(base, 'base', base);
    await octokit.rest.git.createRef({owner: 'acme', repo: 'fleet', ref: `refs/heads/${branch}`, sha});
    await server.push(branch, 'auto', branch);
    return (await octokit.rest.pulls.create({owner: 'acme', repo: 'fleet', title: 'auto', head: branch, base})).data;
  };
  const enable = (p, more = {}) => ask(AUTO, {input: {pullRequestId: p.node_id, mergeMethod: 'SQUASH', commitHeadline: 'squashed', commitBody: 'Ferry-Job: j', ...more}});
  const clean = await open('main', 'auto-main');
  await assert.rejects(enable(clean), (e) => { assert.equal(e.errors[0].message, 'Pull request Pull request is in clean status'); return true; });
  const waits = await open('ruled', 'auto-ruled');
  await assert.rejects(enable(waits, {expectedHeadOid: '1'.repeat(40)}));
  const {enablePullRequestAutoMerge: {pullRequest}} = await enable(waits, {expectedHeadOid: waits.head.sha});
  assert.deepEqual([pullRequest.state, pullRequest.autoMergeRequest.mergeMethod, pullRequest.autoMergeRequest.commitHeadline], ['OPEN', 'SQUASH', 'squashed']);
  const ana = new Octokit({auth: server.ana, baseUrl: `${server.url}/api/v3`, retry: {enabled: false}, throttle: {enabled: false}});
  await ana.rest.pulls.createReview({owner: 'acme', repo: 'fleet', pull_number: waits.number, event: 'APPROVE'});
  assert.equal((await ask(PULL, {number: waits.number})).repository.pullRequest.state, 'OPEN');
  await ana.rest.repos.createCommitStatus({owner: 'acme', repo: 'fleet', sha: waits.head.sha, state: 'success', context: 'ci'});
  const {repository: {pullRequest: done}} = await ask(PULL, {number: waits.number});
  assert.deepEqual([done.state, done.merged, done.mergeCommit.message], ['MERGED', true, 'squashed\n\nFerry-Job: j']);
  await assert.rejects(ask(PULL, {number: 999}));
});

test('errors have types', async () => {
  const type = (t) => (e) => { assert.equal(e.errors[0].type, t); return true; };
  await assert.rejects(ask('{ repository(owner: "acme", name: "none") { id } }'), type('NOT_FOUND'));
  const guarded = await server.push('guarded', 'a', '1');
  await assert.rejects(ask(COMMIT, input(guarded, {additions: []}, 'guarded')), type('BRANCH_PROTECTION_RULE_VIOLATION'));
  const stranger = new Octokit({auth: 'wrong', baseUrl: `${server.url}/api/v3`, log: {debug() {}, info() {}, warn() {}, error() {}}});
  await assert.rejects(stranger.graphql('{ viewer { login } }'), {status: 401});
  assert.equal((await ask('{ viewer { login } rateLimit { limit remaining } }')).viewer.login, 'ferry-bot');
});
