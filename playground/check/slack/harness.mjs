// What both checks share: the server, and a scripted bot made with Slack's SDK.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const { App, LogLevel } = createRequire(import.meta.url)('@slack/bolt');
const here = dirname(fileURLToPath(import.meta.url));

export async function startServer() {
  const child = spawn(process.env.SLACK_SERVER, [], { cwd: here, stdio: ['pipe', 'pipe', 'inherit'] });
  const url = await new Promise((resolve, reject) => {
    child.stdout.once('data', (line) => resolve(JSON.parse(String(line)).url));
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { url, stop: () => new Promise((resolve) => { child.once('exit', resolve); child.stdin.end(); }) };
}

export function control(url) {
  return async (path, body) => {
    const r = await fetch(`${url}/playground/${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    return r.json();
  };
}

// until waits for a promise-returning predicate without a fixed sleep's luck:
// it asks again at once until a deadline.
export async function until(what, ask, ms = 10000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await ask();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not seen in time: ${what}`);
    await new Promise((r) => setTimeout(r, 15));
  }
}

export function boltApp(url, name = 'check') {
  return new App({
    token: `xoxb-${name}`, appToken: `xapp-${name}`, socketMode: true, logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: `${url}/api/` },
  });
}

const button = (text, action_id, value, more = {}) => ({ type: 'button', text: { type: 'plain_text', text }, action_id, value, ...more });

export const approval = (app) => [
  { type: 'header', text: { type: 'plain_text', text: `Promote ${app} to prod?` } },
  { type: 'section', fields: [{ type: 'mrkdwn', text: '*From*\n`6.5.3`' }, { type: 'mrkdwn', text: '*To*\n`6.5.4`' }] },
  { type: 'context', elements: [{ type: 'mrkdwn', text: 'asked by <@U01ALICE> · base `3f2a1bc` · expires in 1 h' }] },
  { type: 'actions', elements: [
    button('Approve', 'approve', 'op-1', { style: 'primary', confirm: {
      title: { type: 'plain_text', text: 'Sure?' }, text: { type: 'mrkdwn', text: '*podinfo* goes to `prod`.' },
      confirm: { type: 'plain_text', text: 'Promote' }, deny: { type: 'plain_text', text: 'Not yet' } } }),
    button('Reject', 'reject', 'op-1', { style: 'danger' }),
  ] },
];

export const plan = (states) => [{ type: 'plan', title: 'Promoting podinfo 6.5.4 to prod', tasks: [
  ['commit', 'Commit to main'], ['apply', 'Flux applies it'], ['ready', 'Rolled out and healthy'],
].map(([task_id, title], i) => ({ type: 'task_card', task_id, title, status: states[i] })) }];

const rich = (text) => ({ type: 'rich_text', elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text, style: { bold: true } }] }] });
const raw = (text) => ({ type: 'raw_text', text });

export const fleet = () => [{ type: 'data_table', caption: 'What runs where', page_size: 25, rows: [
  ['app', 'dev', 'stage', 'prod', 'ready'].map(raw),
  [raw('podinfo'), raw('6.6.0'), raw('6.5.4'), raw('6.5.3'), { type: 'raw_number', value: 3, text: '3/3' }],
  [raw('checkout'), raw('2.14.1'), rich('2.14.1'), raw('2.13.0'), { type: 'raw_number', value: 2, text: '2/2' }],
  [raw('gateway'), raw('1.30.2'), raw('1.30.2'), raw('1.30.2'), { type: 'raw_number', value: 5, text: '4/5' }],
] }];

// echoBot answers like a bot of ferry's kind would; step(n) lets its promotion go on.
export async function echoBot(url) {
  const app = boltApp(url);
  const steps = [];
  const posted = {};
  app.event('app_mention', async ({ event, client }) => {
    const thread_ts = event.thread_ts || event.ts;
    const post = (text, blocks) => client.chat.postMessage({ channel: event.channel, thread_ts, text, blocks });
    if (/ list/.test(event.text)) {
      await post('What runs where', fleet());
    } else if (/ promote/.test(event.text)) {
      const m = await post('promoting', plan(['in_progress', 'pending', 'pending']));
      posted.plan = m.ts;
      steps.push((states, text) => client.chat.update({ channel: event.channel, ts: m.ts, text, blocks: plan(states) }));
    } else if (/ ask/.test(event.text)) {
      await post('Promote podinfo to prod?', approval('podinfo'));
    } else {
      await post(`You said: ${event.text}`);
    }
  });
  app.message(async ({ message, say }) => { if (!message.subtype && !message.bot_id) await say(`In private: ${message.text}`); });
  app.command('/ferry', async ({ command, ack, client }) => {
    if (command.text !== 'new') return ack({ text: `Looking at *${command.text}*` });
    await ack();
    await client.views.open({ trigger_id: command.trigger_id, view: {
      type: 'modal', callback_id: 'promote', title: { type: 'plain_text', text: 'Promote' }, submit: { type: 'plain_text', text: 'Plan it' },
      private_metadata: command.channel_id, blocks: [
        { type: 'input', block_id: 'app', label: { type: 'plain_text', text: 'App' }, element: { type: 'plain_text_input', action_id: 'name', placeholder: { type: 'plain_text', text: 'podinfo' } } },
        { type: 'input', block_id: 'to', label: { type: 'plain_text', text: 'Cluster' }, element: { type: 'static_select', action_id: 'cluster', options: ['dev', 'stage', 'prod'].map((c) => ({ text: { type: 'plain_text', text: c }, value: c })) } },
      ] } });
  });
  app.view('promote', async ({ ack, view, client }) => {
    const name = view.state.values.app.name.value;
    if (name !== 'podinfo') return ack({ response_action: 'errors', errors: { app: `There is no app called ${name}.` } });
    await ack();
    await client.chat.postMessage({ channel: view.private_metadata, text: `Planned *${name}* for ${view.state.values.to.cluster.selected_option.value}` });
  });
  app.action('approve', async ({ ack, body, client }) => {
    await ack();
    await client.chat.update({ channel: body.channel.id, ts: body.message.ts, text: `Approved by <@${body.user.id}>`, blocks: [
      { type: 'section', text: { type: 'mrkdwn', text: `:white_check_mark: *Approved* by <@${body.user.id}>` } }] });
  });
  app.action('reject', async ({ ack, respond }) => {
    await ack();
    await respond({ replace_original: true, text: 'Rejected' });
  });
  await app.start();
  return { app, steps, posted, stop: () => app.stop() };
}
