// What ferry tells of its own troubles, as somebody reads it in the channel: a message
// that was given up, and a plugin that is not what was installed.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { album, sit } from './desk.mjs';

let desk, dir, events;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'own-'));
  events = join(dir, 'events');
  const other = join(dir, 'other'), settings = join(dir, 'settings.yaml');
  await writeFile(events, '');
  await cp(process.env.PLUGINS, other, { recursive: true });
  await writeFile(join(other, 'index.yaml'), (await readFile(join(other, 'index.yaml'), 'utf8')).replaceAll('v1.0.0', 'v2.0.0'));
  await writeFile(settings, `plugins:
  dir: ${dir}/plugins
  repositories: {local: {index: ${process.env.PLUGINS}}, other: {index: ${other}}}
  sources:
    lines: {plugin: local/lines, config: {file: ${events}}}
    changes: {plugin: other/lines, config: {file: ${events}}}
  notifiers: {webhook: {plugin: local/webhook, config: {url: "http://127.0.0.1:9/hook"}}}
alerts:
  route:
    receiver: deployments
    group_wait: 500ms
    routes: [{matchers: ['source!=ferry'], receiver: hooks}]
  receivers:
    deployments: {sinks: [{slack: {channel: C0DEPLOY}}]}
    hooks: {sinks: [{notifier: webhook, retries: 1}]}
`);
  desk = await sit('demo', { width: 1280, height: 620 }, ['-settings', settings]);
});

after(async () => {
  await desk?.leave();
  if (dir) await rm(dir, { recursive: true, force: true });
});

const main = () => desk.page.locator('#list');

async function shows(...words) {
  for (const w of words) {
    await desk.until(`"${w}" in the channel`, async () => (await main().innerText()).replace(/\s+/g, ' ').includes(w));
  }
}

test('ferry tells by itself that it could not tell', async () => {
  await shows('The source changes does not run', 'It is refused: it calls itself version', 'Until it runs nothing that it brings arrives.');
  await appendFile(events, JSON.stringify({ id: 'e1', cluster: 'dev', kind: 'Job', namespace: 'ops', name: 'backup', reason: 'Failed', severity: 'error', title: 'Job backup failed' }) + '\n');
  await shows('A message to hooks:webhook was given up', 'The last: Job backup failed on dev.', 'undelivered lists what is kept');
  const path = await album('own');
  if (path) await desk.page.screenshot({ path, animations: 'disabled' });
});

test('the page has no fault', () => { assert.deepEqual(desk.faults, []); });
