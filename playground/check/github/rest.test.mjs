// Every REST endpoint of the local GitHub, asked with Octokit, judged by GitHub's OpenAPI description.
import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import {createSign, generateKeyPairSync} from 'node:crypto';
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
  assert.deepEqual(guarded.restrictions.users.map((u) => u.login), ['ferry-bot', 'ana']);
  const rules = (await ask(`GET ${R}/rules/branches/{branch}`, {branch: 'ruled'})).data;
  assert.deepEqual(rules.map((r) => r.type), ['pull_request', 'required_status_checks']);
  const ruleset = (await ask(`GET ${R}/rulesets/{ruleset_id}`, {ruleset_id: rules[0].ruleset_id})).data;
  assert.deepEqual([ruleset.name, ruleset.current_user_can_bypass], ['reviewed', 'never']);
  await ask(`GET ${R}/rulesets/{ruleset_id}`, {ruleset_id: 99}, {status: 404});
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

// propose makes a branch with one commit into base, and a pull request; Octokit's own methods, every answer judged.
let proposals = 0;
async function propose(base, more = {}) {
  const branch = `ferry/${++proposals}`;
  await ask(`POST ${R}/git/refs`, {ref: `refs/heads/${branch}`, sha: await head(base)}, {status: 201});
  await server.push(branch, `proposed-${proposals}`, String(proposals));
  const {data} = await ask(`POST ${R}/pulls`, {title: `Promote ${proposals}`, body: 'why\n\nFerry-Job: j', head: branch, base, ...more}, {status: 201});
  return {branch, number: data.number, sha: data.head.sha};
}
const P = `${R}/pulls/{pull_number}`;

test('pull requests: opened, listed, changed, merged', async () => {
  const {rest} = octokit();
  for (const merge_method of ['merge', 'squash', 'rebase']) {
    const {number, branch, sha} = await propose('main');
    const open = (await ask(`GET ${P}`, {pull_number: number})).data;
    assert.deepEqual([open.state, open.merged, open.mergeable_state, open.changed_files, open.commits], ['open', false, 'clean', 1, 1]);
    const list = (await ask(`GET ${R}/pulls`, {head: `acme:${branch}`, state: 'all'})).data;
    assert.deepEqual(list.map((p) => p.number), [number]);
    const known = (await ask(`GET ${P}`, {pull_number: number})).headers.etag;
    await assert.rejects(rest.pulls.get({...at, pull_number: number, headers: {'if-none-match': known}}), {status: 304});
    await ask(`PUT ${P}/merge`, {pull_number: number, sha: '1'.repeat(40)}, {status: 409});
    const merged = (await ask(`PUT ${P}/merge`, {pull_number: number, sha, merge_method})).data;
    assert.equal(merged.sha, await head());
    await ask(`PUT ${P}/merge`, {pull_number: number}, {status: 405});
    const after = (await ask(`GET ${P}`, {pull_number: number})).data;
    assert.deepEqual([after.state, after.merged, after.merge_commit_sha, after.merged_by.login], ['closed', true, merged.sha, 'ferry-bot']);
    const {commit, parents} = (await ask(`GET ${R}/commits/{ref}`, {ref: merged.sha})).data;
    assert.equal(parents.length, merge_method === 'merge' ? 2 : 1);
    if (merge_method === 'merge') assert.match(commit.message, new RegExp(`^Merge pull request #${number} from acme/${branch}\n\nPromote`));
    if (merge_method === 'squash') assert.match(commit.message, new RegExp(`\\(#${number}\\)`));
  }
  assert.equal((await rest.pulls.list({...at, base: 'main'})).data.length, 0);
  await ask(`GET ${P}`, {pull_number: 999}, {status: 404});
});

test('pull requests: refused and closed', async () => {
  const {number, branch} = await propose('main');
  const twice = await ask(`POST ${R}/pulls`, {title: 'x', head: branch, base: 'main'}, {status: 422});
  assert.equal(twice.data.errors[0].message, `A pull request already exists for acme:${branch}.`);
  await ask(`POST ${R}/pulls`, {title: 'x', head: 'none', base: 'main'}, {status: 422});
  await ask(`POST ${R}/git/refs`, {ref: 'refs/heads/nothing-new', sha: await head()}, {status: 201});
  const none = await ask(`POST ${R}/pulls`, {title: 'x', head: 'nothing-new', base: 'main'}, {status: 422});
  assert.equal(none.data.errors[0].message, 'No commits between main and nothing-new');
  await ask(`POST ${R}/pulls`, {title: 'x'.repeat(257), head: branch, base: 'main'}, {status: 422});
  const changed = (await ask(`PATCH ${P}`, {pull_number: number, title: 'Other', body: 'text'})).data;
  assert.deepEqual([changed.title, changed.body], ['Other', 'text']);
  const {rest} = octokit();
  await rest.issues.addLabels({...at, issue_number: number, labels: ['promotion']});
  const labels = (await ask(`POST ${R}/issues/{issue_number}/labels`, {issue_number: number, labels: ['prod', 'promotion']})).data;
  assert.deepEqual(labels.map((l) => l.name), ['promotion', 'prod']);
  const asked = (await ask(`POST ${P}/requested_reviewers`, {pull_number: number, reviewers: ['ana'], team_reviewers: ['platform']}, {status: 201})).data;
  assert.deepEqual([asked.requested_reviewers[0].login, asked.requested_teams[0].slug], ['ana', 'platform']);
  const stranger = await ask(`POST ${P}/requested_reviewers`, {pull_number: number, reviewers: ['stranger']}, {status: 422});
  assert.match(stranger.data.message, /^Reviews may only be requested from collaborators\./);
  await ask(`POST ${R}/issues/{issue_number}/comments`, {issue_number: number, body: 'cancelled'}, {status: 201});
  assert.equal((await ask(`GET ${R}/issues/{issue_number}/comments`, {issue_number: number})).data[0].body, 'cancelled');
  assert.equal((await ask(`PATCH ${P}`, {pull_number: number, state: 'closed'})).data.state, 'closed');
  assert.equal((await ask(`PATCH ${P}`, {pull_number: number, state: 'open'})).data.state, 'open');
  await ask(`DELETE ${R}/git/refs/{ref}`, {ref: `heads/${branch}`}, {status: 204});
  assert.equal((await ask(`GET ${P}`, {pull_number: number})).data.state, 'closed', 'its branch is gone');
  await ask(`PATCH ${P}`, {pull_number: number, state: 'open'}, {status: 422});
});

test('pull requests: conflicts, and what protection wants', async () => {
  const {number, branch} = await propose('main');
  await server.push('main', `proposed-${proposals}`, 'theirs');
  assert.equal((await ask(`GET ${P}`, {pull_number: number})).data.mergeable_state, 'dirty');
  assert.equal((await ask(`PUT ${P}/merge`, {pull_number: number}, {status: 405})).data.message, 'Pull Request is not mergeable');
  await ask(`PATCH ${R}/git/refs/{ref}`, {ref: `heads/${branch}`, sha: await head(), force: true});
  assert.equal((await ask(`GET ${P}`, {pull_number: number})).data.state, 'closed', 'a branch at its base has nothing to merge');

  const ruled = await propose('ruled');
  const merge = async (status) => (await ask(`PUT ${P}/merge`, {pull_number: ruled.number, merge_method: 'squash'}, {status})).data;
  assert.equal((await ask(`GET ${P}`, {pull_number: ruled.number})).data.mergeable_state, 'blocked');
  assert.match((await merge(405)).message, /^Repository rule violations found\n\nAt least 1 approving review is required.*\n\nRequired status check "ci" is expected\./);
  await ask(`POST ${P}/reviews`, {pull_number: ruled.number, event: 'APPROVE'}, {status: 422});
  await ask(`POST ${P}/reviews`, {pull_number: ruled.number, event: 'APPROVE', body: 'fine'}, {token: 'ana'});
  await ask(`POST ${R}/statuses/{sha}`, {sha: ruled.sha, state: 'pending', context: 'ci'}, {status: 201});
  assert.equal((await ask(`GET ${R}/commits/{ref}/status`, {ref: ruled.sha})).data.state, 'pending');
  await merge(405);
  await ask(`POST ${R}/statuses/{sha}`, {sha: ruled.sha, state: 'success', context: 'ci', description: 'passed'}, {status: 201});
  assert.equal((await ask(`GET ${R}/commits/{ref}/status`, {ref: ruled.sha})).data.state, 'success');
  assert.equal((await merge(200)).merged, true);
  await ask(`POST ${R}/statuses/{sha}`, {sha: '1'.repeat(40), state: 'success'}, {status: 422}).catch((e) => {
    if (!String(e).includes('does not answer 422')) throw e; // GitHub does, and does not describe it
  });
});

test('an App, and the tokens of its installation', async () => {
  const token = `POST /app/installations/{installation_id}/access_tokens`;
  const now = Math.floor(Date.now() / 1000);
  const assertion = (claims, key = server.app.key) => {
    const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
    const signed = `${part({alg: 'RS256', typ: 'JWT'})}.${part({iat: now - 60, exp: now + 540, iss: server.app.id, ...claims})}`;
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`;
  };
  const get = async (claims, status, {key, installation_id = server.app.installation} = {}) =>
    (await ask(token, {installation_id}, {status, token: assertion(claims, key)})).data;
  const made = await get({}, 201);
  assert.ok(new Date(made.expires_at) > new Date());
  assert.equal((await get({iss: 'Iv1.check'}, 201)).permissions.contents, 'write');
  await get({}, 404, {installation_id: 35});
  await get({iss: 99}, 404);
  assert.match((await get({exp: now - 1}, 401)).message, /'exp'/);
  assert.match((await get({exp: now + 3600}, 401)).message, /too far in the future/);
  assert.match((await get({iat: now + 300}, 401)).message, /'iat'/);
  const {privateKey} = generateKeyPairSync('rsa', {modulusLength: 2048});
  await get({}, 401, {key: privateKey});
  await ask(token, {installation_id: server.app.installation}, {status: 401, token: 'writer'});
  // Octokit's own way with an App.
  const {data} = await octokit(assertion({})).rest.apps.createInstallationAccessToken({installation_id: server.app.installation});
  await ask(`GET ${R}`, {}, {token: data.token});
  await ask('GET /user', {}, {status: 403, token: data.token});
  const {branch} = await propose('main');
  assert.ok(branch);
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
