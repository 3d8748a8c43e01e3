// What is told of incidents, as somebody reads it in the channel: one that is resolved,
// one that is silenced, and a storm in its digest.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { album, sit } from './desk.mjs';

let desk, dir, events;
let told = 0;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'alerts-'));
  events = join(dir, 'events');
  const settings = join(dir, 'settings.yaml');
  await writeFile(events, '');
  await writeFile(settings, `plugins:
  dir: ${dir}/plugins
  repositories: {local: {index: ${process.env.PLUGINS}}}
  sources: {lines: {plugin: local/lines, config: {file: ${events}}}}
alerts:
  route: {receiver: deployments, group_wait: 500ms, group_interval: 1s}
  receivers: {deployments: {sinks: [{slack: {channel: C0DEPLOY}}]}}
`);
  desk = await sit('demo', { width: 1280, height: 860 }, ['-settings', settings]);
});

after(async () => {
  await desk?.leave();
  if (dir) await rm(dir, { recursive: true, force: true });
});

// happen has the source tell of events, in one go.
async function happen(...all) {
  await appendFile(events, all.map((e) => JSON.stringify({ id: `e${told += 1}`, ...e }) + '\n').join(''));
}

const main = () => desk.page.locator('#list');

// shows waits until the channel's text holds all of the words.
async function shows(...words) {
  for (const w of words) {
    await desk.until(`"${w}" in the channel`, async () => (await main().innerText()).replace(/\s+/g, ' ').includes(w));
  }
}

async function picture(name) {
  const path = await album(name);
  if (path) await desk.page.screenshot({ path, animations: 'disabled' });
}

const crash = {
  cluster: 'dev', kind: 'Pod', namespace: 'podinfo', name: 'podinfo-7d9f8b6c5-x2x4z', reason: 'CrashLoopBackOff', severity: 'error',
  title: 'podinfo crashes again and again', text: 'Exit code 137: out of memory. Restarted 4 times within 10 minutes.', labels: { app: 'podinfo' },
};
const backup = {
  cluster: 'prod', kind: 'Job', namespace: 'ops', name: 'backup', reason: 'BackoffLimitExceeded', severity: 'error',
  title: 'Job backup failed', text: '3 pods failed, the last one with exit code 1.',
};

test('an incident is told, resolved where it began, and can be silenced', async () => {
  await happen(backup, crash);
  await shows('Job backup failed on prod', 'podinfo crashes again and again on dev', 'severity error');
  await happen({ ...backup, resolved: true });
  await shows('Resolved: Job backup failed on prod', 'It lasted');
  await desk.page.locator('#list').getByRole('combobox', { name: 'Silence' }).first().selectOption({ label: 'for 4 hours' });
  await shows('1 reply');
  await desk.until('the silence', async () => (await (await fetch(`${desk.url}/playground/messages?channel=%23deployments`)).text()).includes('is silent for 4 h'));
  await picture('alert');
});

test('a storm is one message, and what has nothing to do with it another', async () => {
  const apps = ['web', 'cart', 'search', 'mail', 'stock', 'users', 'feed', 'pay'];
  const fail = (i) => ({
    cluster: 'prod', kind: 'Deployment', namespace: i % 4 ? 'shop' : 'payments', name: `${apps[i % 8]}-${i}`, reason: 'ImagePullBackOff', severity: i % 4 ? 'error' : 'critical',
    title: `Deployment ${apps[i % 8]}-${i} cannot pull its image`, text: 'registry.example.com answers 503.',
  });
  const all = Array.from({ length: 60 }, (_, i) => fail(i));
  await happen(...all);
  await shows('Storm on prod:', 'critical: ', '× ImagePullBackOff in shop on prod');
  await happen({ ...backup, cluster: 'stage', name: 'cleanup', title: 'Job cleanup failed' });
  await shows('Job cleanup failed on stage');
  await picture('storm');
  await happen(...all.map((e) => ({ ...e, resolved: true })));
  await shows('The storm on prod is over:');
});

test('the page has no fault', () => { assert.deepEqual(desk.faults, []); });
