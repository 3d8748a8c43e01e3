// Every REST endpoint of the local GitHub, asked with Octokit, judged by GitHub's OpenAPI description.
import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import {Octokit} from 'octokit';
import {start} from './server.mjs';
import {Judge} from './judge.mjs';

let server, judge;
const at = {owner: 'acme', repo: 'fleet'};
const clients = new Map();

before(async () => {
  judge = new Judge();
  server = await start();
});
after(() => server.stop());

// Without retries and throttling: the check wants the answer, not what a patient client makes of it.
function octokit(token = 'writer') {
  if (!clients.has(token)) {
    clients.set(token, new Octokit({
      auth: server[token] ?? token, baseUrl: `${server.url}/api/v3`, retry: {enabled: false}, throttle: {enabled: false},
      log: {debug() {}, info() {}, warn() {}, error() {}},
    }));
  }
  return clients.get(token);
}

// Asks, judges, and returns the response, whatever its status.
async function ask(route, params = {}, {status = 200, token} = {}) {
  let response;
  try {
    response = await octokit(token).request(route, {...at, request: {redirect: 'manual'}, ...params});
  } catch (error) {
    if (!error.status) throw error;
    response = {status: error.status, headers: error.response?.headers ?? {}, data: error.response?.data};
  }
  assert.equal(response.status, status, `${route}: ${JSON.stringify(response.data)}`);
  const complaints = judge.check(route, response.status, response.headers['content-type'] ?? '', response.data);
  assert.deepEqual(complaints.slice(0, 10), []);
  if (!route.includes('rate_limit')) assert.match(response.headers['x-ratelimit-remaining'] ?? '', /^\d+$/);
  return response;
}

const R = '/repos/{owner}/{repo}';
const head = async (branch = 'main') => (await ask(`GET ${R}/git/ref/{ref}`, {ref: `heads/${branch}`})).data.object.sha;

test('rate limit, user, repository', async () => {
  assert.equal((await ask('GET /rate_limit')).data.resources.core.limit, 100000);
  const {data, headers} = await ask('GET /user');
  assert.equal(data.login, 'ferry-bot');
  assert.equal(headers['x-oauth-scopes'], 'repo');
  await ask('GET /user', {}, {status: 401, token: 'wrong'});
  const repo = (await ask(`GET ${R}`)).data;
  assert.equal(repo.default_branch, 'main');
  assert.equal(repo.permissions.push, true);
  await ask(`GET ${R}`, {repo: 'other'}, {status: 404});
  await ask(`GET ${R}`, {}, {status: 404, token: 'nobody'});
  assert.equal((await ask(`GET ${R}`, {}, {token: 'reader'})).data.permissions.push, false);
});

test('branches, their protection and their rules', async () => {
  await server.push('ruled', 'a', '1');
  await server.push('guarded', 'a', '1');
  const {data, headers} = await ask(`GET ${R}/branches`, {per_page: 2});
  assert.equal(data.length, 2);
  assert.match(headers.link, /rel="next"/);
  const all = await octokit().paginate(`GET ${R}/branches`, {...at, per_page: 2});
  assert.deepEqual(all.map((b) => b.name), ['guarded', 'main', 'ruled']);
  await ask(`GET ${R}/branches/{branch}`, {branch: 'main'});
  await ask(`GET ${R}/branches/{branch}`, {branch: 'none'}, {status: 404});
  const guarded = (await ask(`GET ${R}/branches/{branch}/protection`, {branch: 'guarded'})).data;
  assert.equal(guarded.required_pull_request_reviews.required_approving_review_count, 2);
  await ask(`GET ${R}/branches/{branch}/protection`, {branch: 'main'}, {status: 404});
  assert.equal((await ask(`GET ${R}/rules/branches/{branch}`, {branch: 'ruled'})).data[0].type, 'pull_request');
  assert.deepEqual((await ask(`GET ${R}/rules/branches/{branch}`, {branch: 'main'})).data, []);
});

test('commits: one, as SHA, unchanged, listed, compared', async () => {
  const one = (await ask(`GET ${R}/commits/{ref}`, {ref: 'main'})).data;
  assert.equal(one.files.length, 4);
  const sha = await octokit().request(`GET ${R}/commits/{ref}`, {...at, ref: 'main', mediaType: {format: 'sha'}});
  assert.equal(sha.data, one.sha);
  assert.equal(sha.headers.etag, `"${one.sha}"`);
  const left = (await ask('GET /rate_limit')).data.resources.core.remaining;
  const known = (await ask(`GET ${R}/commits/{ref}`, {ref: 'main'})).headers.etag;
  // Any GET can be a 304, though the description lists it for few.
  await assert.rejects(octokit().request(`GET ${R}/commits/{ref}`, {...at, ref: 'main', headers: {'if-none-match': known}}), {status: 304});
  assert.equal((await ask('GET /rate_limit')).data.resources.core.remaining, left - 1, 'the 304 itself is free');
  await ask(`GET ${R}/commits/{ref}`, {ref: 'none'}, {status: 422});
  await ask(`POST ${R}/git/refs`, {ref: 'refs/heads/feature/x', sha: one.sha}, {status: 201});
  await server.push('feature/x', 'b', '2');
  await ask(`GET ${R}/commits/{ref}`, {ref: 'feature/x'});
  for (let i = 0; i < 3; i++) await server.push('main', 'counter', String(i));
  const list = await ask(`GET ${R}/commits`, {sha: 'main', per_page: 2});
  assert.match(list.headers.link, /rel="last"/);
  assert.equal((await ask(`GET ${R}/commits`, {path: 'counter'})).data.length, 3);
  assert.equal((await ask(`GET ${R}/commits`, {since: '2090-01-01T00:00:00Z'})).data.length, 0);
  await ask(`GET ${R}/commits`, {repo: 'empty'}, {status: 409});
  const compare = (await ask(`GET ${R}/compare/{basehead}`, {basehead: `${one.sha}...main`})).data;
  assert.deepEqual([compare.status, compare.ahead_by, compare.files[0].filename], ['ahead', 3, 'counter']);
  assert.equal((await ask(`GET ${R}/compare/{basehead}`, {basehead: 'main...feature/x'})).data.status, 'diverged');
  await ask(`GET ${R}/compare/{basehead}`, {basehead: 'main...none'}, {status: 404});
});

test('git data: blob, tree, commit, reference', async () => {
  const base = await head();
  const commit = (await ask(`GET ${R}/git/commits/{commit_sha}`, {commit_sha: base})).data;
  const tree = (await ask(`GET ${R}/git/trees/{tree_sha}`, {tree_sha: commit.tree.sha, recursive: '1'})).data;
  const logo = tree.tree.find((e) => e.path === 'logo.bin');
  const blob = (await ask(`GET ${R}/git/blobs/{file_sha}`, {file_sha: logo.sha})).data;
  assert.deepEqual([...Buffer.from(blob.content, 'base64')], [0, 1, 2, 255]);
  const raw = await octokit().request(`GET ${R}/git/blobs/{file_sha}`, {...at, file_sha: logo.sha, mediaType: {format: 'raw'}});
  assert.match(raw.headers['content-type'], /^application\/vnd\.github\.raw/);
  await ask(`GET ${R}/git/blobs/{file_sha}`, {file_sha: '1'.repeat(40)}, {status: 404});
  await ask(`GET ${R}/git/trees/{tree_sha}`, {repo: 'empty', tree_sha: '1'.repeat(40)}, {status: 409});
  const made = (await ask(`POST ${R}/git/blobs`, {content: 'aGkK', encoding: 'base64'}, {status: 201})).data;
  const next = (await ask(`POST ${R}/git/trees`, {base_tree: commit.tree.sha, tree: [
    {path: 'apps/prod/new.yaml', mode: '100644', type: 'blob', content: 'x: 1\n'},
    {path: 'hi', mode: '100644', type: 'blob', sha: made.sha},
    {path: 'counter', mode: '100644', type: 'blob', sha: null},
  ]}, {status: 201})).data;
  await ask(`POST ${R}/git/trees`, {tree: [{path: '../x', mode: '100644', content: ''}]}, {status: 422});
  const child = (message) => ask(`POST ${R}/git/commits`, {message, tree: next.sha, parents: [base],
    author: {name: 'A', email: 'a@example.com', date: '2024-05-06T07:08:09Z'}}, {status: 201});
  const [a, b] = [(await child('a')).data, (await child('b')).data];
  await ask(`POST ${R}/git/commits`, {message: 'x', tree: '1'.repeat(40)}, {status: 422});
  await ask(`PATCH ${R}/git/refs/{ref}`, {ref: 'heads/main', sha: a.sha, force: false});
  const refused = await ask(`PATCH ${R}/git/refs/{ref}`, {ref: 'heads/main', sha: b.sha}, {status: 422});
  assert.equal(refused.data.message, 'Update is not a fast forward');
  await ask(`POST ${R}/git/refs`, {ref: 'refs/heads/topic/one', sha: a.sha}, {status: 201});
  assert.equal((await ask(`POST ${R}/git/refs`, {ref: 'refs/heads/topic/one', sha: a.sha}, {status: 422})).data.message, 'Reference already exists');
  assert.equal((await ask(`GET ${R}/git/matching-refs/{ref}`, {ref: 'heads/topic'})).data.length, 1);
  await ask(`GET ${R}/git/ref/{ref}`, {ref: 'heads/topic/one'});
  await ask(`GET ${R}/git/ref/{ref}`, {ref: 'heads/none'}, {status: 404});
  await ask(`DELETE ${R}/git/refs/{ref}`, {ref: 'heads/topic/one'}, {status: 204});
  await ask(`DELETE ${R}/git/refs/{ref}`, {ref: 'heads/topic/one'}, {status: 422});
  const ruled = await ask(`PATCH ${R}/git/refs/{ref}`, {ref: 'heads/ruled', sha: a.sha, force: true}, {status: 422});
  assert.match(ruled.data.message, /^Repository rule violations found/);
});

test('contents and tarball', async () => {
  const file = (await ask(`GET ${R}/contents/{path}`, {path: 'README.md'})).data;
  assert.equal(Buffer.from(file.content, 'base64').toString(), '# fleet\n');
  assert.equal((await ask(`GET ${R}/contents/{path}`, {path: 'apps/prod', ref: 'main'})).data[0].type, 'file');
  await ask(`GET ${R}/contents/{path}`, {path: 'none'}, {status: 404});
  const content = Buffer.from('# new\n').toString('base64');
  await ask(`PUT ${R}/contents/{path}`, {path: 'docs/new.md', message: 'm', content}, {status: 201});
  await ask(`PUT ${R}/contents/{path}`, {path: 'README.md', message: 'm', content, sha: file.sha});
  await ask(`PUT ${R}/contents/{path}`, {path: 'README.md', message: 'm', content}, {status: 422});
  const stale = await ask(`PUT ${R}/contents/{path}`, {path: 'README.md', message: 'm', content, sha: file.sha}, {status: 409});
  assert.equal(stale.data.message, `README.md does not match ${file.sha}`);
  const sent = await fetch(`${server.url}/api/v3/repos/acme/fleet/tarball/main`, {redirect: 'manual', headers: {authorization: `Bearer ${server.writer}`}});
  assert.deepEqual(judge.check(`GET ${R}/tarball/{ref}`, sent.status, '', await sent.text()), []);
  const archive = await fetch(sent.headers.get('location'));
  assert.equal(archive.status, 200);
  assert.equal(new Uint8Array(await archive.arrayBuffer())[0], 0x1f);
});

test('octokit.rest, the way most clients ask', async () => {
  const {rest} = octokit();
  const {data: ref} = await rest.git.getRef({...at, ref: 'heads/main'});
  const {data: tree} = await rest.git.getTree({...at, tree_sha: ref.object.sha, recursive: 'true'});
  assert.equal(tree.truncated, false);
  await assert.rejects(rest.repos.getBranch({...at, branch: 'none'}), {status: 404});
  await assert.rejects(octokit('reader').rest.git.createRef({...at, ref: 'refs/heads/x', sha: ref.object.sha}), {status: 403});
});

test('no endpoint is left unjudged', () => {
  const left = server.routes.filter((route) => !judge.seen.get(route)?.size);
  assert.deepEqual(left, []);
});
