// The local Slack against Slack's own SDK, in Socket Mode.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { boltApp, control, echoBot, startServer, until } from './harness.mjs';

let server;
let bot;
let call;
const messages = async (ts) => (await call(`messages?channel=deploys${ts ? `&thread_ts=${ts}` : ''}`)).messages;

before(async () => {
  server = await startServer();
  call = control(server.url);
  bot = await echoBot(server.url);
});
after(async () => {
  await bot?.stop();
  await server?.stop();
});

test('a mention is answered in its thread', async () => {
  const { ts } = await call('say', { user: 'alice', channel: 'deploys', text: '@ferry hello <b>&' });
  const thread = await until('a reply', async () => { const m = await messages(ts); return m.length === 2 && m; });
  assert.equal(thread[0].text, '<@U0FERRY> hello &lt;b&gt;&amp;');
  assert.equal(thread[1].text, `You said: ${thread[0].text}`);
  assert.equal(thread[1].thread_ts, ts);
  const envelopes = (await call('slack/envelopes')).envelopes;
  assert.ok(envelopes.at(-1).acked && envelopes.at(-1).sends === 1);
});

test('a direct message comes as message.im', async () => {
  await call('say', { user: 'bob', channel: '@ferry', text: 'status' });
  await until('a reply', async () => (await call('messages?channel=ferry&user=bob')).messages.some((m) => m.text === 'In private: status'));
});

test('a slash command is answered in its acknowledgement', async () => {
  const a = await call('slash', { user: 'bob', channel: 'deploys', command: '/ferry', text: 'podinfo' });
  assert.equal(a.acknowledged, true);
  const last = (await messages()).at(-1);
  assert.deepEqual([last.text, last.ephemeral, last.to], ['Looking at *podinfo*', true, 'U02BOB']);
});

test('a button changes its message', async () => {
  const { ts } = await call('say', { user: 'alice', channel: 'deploys', text: '@ferry ask' });
  const [, ask] = await until('the question', async () => { const m = await messages(ts); return m.length === 2 && m; });
  const a = await call('click', { user: 'bob', channel: 'deploys', ts: ask.ts, action_id: 'approve', value: 'op-1' });
  assert.equal(a.acknowledged, true);
  const m = await until('the change', async () => { const x = (await messages(ts))[1]; return x.edits.length && x; });
  assert.equal(m.text, 'Approved by <@U02BOB>');
  assert.equal(m.blocks.length, 1);
  const gone = await call('click', { user: 'bob', channel: 'deploys', ts: ask.ts, action_id: 'approve' });
  assert.equal(gone.error, 'no_such_action');
});

test('a response_url replaces the message that was clicked', async () => {
  const { ts } = await call('say', { user: 'alice', channel: 'deploys', text: '@ferry ask' });
  const [, ask] = await until('the question', async () => { const m = await messages(ts); return m.length === 2 && m; });
  await call('click', { user: 'bob', channel: 'deploys', ts: ask.ts, action_id: 'reject' });
  await until('the change', async () => (await messages(ts))[1].text === 'Rejected');
});

test('a modal opens, is refused with errors, then taken', async () => {
  await call('slash', { user: 'alice', channel: 'deploys', command: '/ferry', text: 'new' });
  const view = await until('the modal', async () => (await call('slack/view?user=alice')).view);
  assert.equal(view.callback_id, 'promote');
  const values = (name) => ({
    app: { name: { type: 'plain_text_input', value: name } },
    to: { cluster: { type: 'static_select', selected_option: { text: { type: 'plain_text', text: 'prod' }, value: 'prod' } } },
  });
  const refused = await call('slack/submit', { user: 'alice', view_id: view.id, values: values('nope') });
  assert.deepEqual(refused.payload, { response_action: 'errors', errors: { app: 'There is no app called nope.' } });
  assert.ok((await call('slack/view?user=alice')).view, 'the modal stays open');
  const taken = await call('slack/submit', { user: 'alice', view_id: view.id, values: values('podinfo') });
  assert.equal(taken.acknowledged, true);
  assert.equal((await call('slack/view?user=alice')).view, null);
  await until('the message', async () => (await messages()).some((m) => m.text === 'Planned *podinfo* for prod'));
});

test('a method whose scope is lacking is refused', async () => {
  const mute = boltApp(server.url, 'mute');
  await assert.rejects(mute.client.chat.postMessage({ channel: 'C01DEPLOYS', text: 'hello' }), (err) => {
    assert.equal(err.data.error, 'missing_scope');
    assert.equal(err.data.needed, 'chat:write');
    assert.equal(err.data.provided, 'users:read');
    return true;
  });
  const { user } = await mute.client.users.info({ user: 'U02BOB' });
  assert.deepEqual([user.name, user.profile.email], ['bob', undefined], 'an address is for apps with users:read.email');
});

test('a refresh of the socket loses nothing', async () => {
  await call('slack/disconnect', { kind: 'refresh_requested' });
  const { ts } = await call('say', { user: 'alice', channel: 'deploys', text: '@ferry again' });
  await until('a reply', async () => (await messages(ts)).length === 2, 20000);
});

test('a rate limit is obeyed by the SDK', async () => {
  await call('slack/fault', { method: 'chat.postMessage', status: 429, retry_after_ms: 1000 });
  const { ts } = await call('say', { user: 'alice', channel: 'deploys', text: '@ferry patient' });
  await until('a reply', async () => (await messages(ts)).length === 2, 15000);
  assert.ok((await call('slack/calls'))['chat.postMessage'].errors.ratelimited >= 1);
});

test('a file is uploaded into a thread, and completed once', async () => {
  const { ts } = await call('say', { user: 'alice', channel: 'deploys', text: '@ferry pods' });
  const { client } = bot.app;
  const content = Array.from({ length: 5000 }, (_, i) => `pod-${i} ✓`).join('\n');
  const done = await client.filesUploadV2({ channel_id: 'C01DEPLOYS', thread_ts: ts, filename: 'pods.txt', title: 'kubectl get pods', content });
  assert.equal(done.ok, true);
  const { id } = done.files[0].files[0];
  const { messages: thread } = await client.conversations.replies({ channel: 'C01DEPLOYS', ts });
  const shared = thread.find((m) => m.files);
  assert.deepEqual(shared.files.map((f) => [f.id, f.name, f.title, f.size]), [[id, 'pods.txt', 'kubectl get pods', Buffer.byteLength(content)]]);
  assert.equal(shared.thread_ts, ts);
  assert.equal(await (await fetch(shared.files[0].url_private)).text(), content);
  await assert.rejects(client.files.completeUploadExternal({ files: [{ id }], channel_id: 'C01DEPLOYS', thread_ts: ts }), /file_not_found/);
});

test('the steps of an upload are refused as Slack documents it', async () => {
  const { client } = bot.app;
  await assert.rejects(client.files.getUploadURLExternal({ filename: 'x.txt', length: 0 }), /missing_argument/);
  const { file_id: id, upload_url: url } = await client.files.getUploadURLExternal({ filename: 'x.txt', length: 3 });
  await assert.rejects(client.files.completeUploadExternal({ files: [{ id }], channel_id: 'C01DEPLOYS' }), /file_not_found/);
  assert.equal((await fetch(url, { method: 'POST', body: 'abc' })).status, 200);
  await assert.rejects(client.files.completeUploadExternal({ files: [{ id }], channel_id: 'C404' }), /channel_not_found/);
  const { files } = await client.files.completeUploadExternal({ files: [{ id, title: 'three' }] });
  assert.deepEqual(files.map((f) => [f.id, f.title]), [[id, 'three']]);
  const mute = boltApp(server.url, 'mute').client;
  await assert.rejects(mute.files.getUploadURLExternal({ filename: 'x.txt', length: 3 }), (e) => e.data.error === 'missing_scope' && e.data.needed === 'files:write');
});
