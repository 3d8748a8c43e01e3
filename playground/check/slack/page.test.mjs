// The page in Debian's Chromium: typing, a thread, a live edit, buttons, a
// modal, autocomplete, another person, a phone.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { control, echoBot, startServer, until } from './harness.mjs';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const shots = process.env.SHOTS; // a folder for screenshots, if wanted

let server;
let bot;
let call;
let browser;
let page;
let profile;
const faults = [];

before(async () => {
  server = await startServer();
  call = control(server.url);
  bot = await echoBot(server.url);
  profile = await mkdtemp(join(tmpdir(), 'page-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS, viewport: { width: 1280, height: 800 },
    colorScheme: process.env.SCHEME || 'light',
  });
  page = browser.pages()[0] || await browser.newPage();
  page.setDefaultTimeout(30000);
  page.on('pageerror', (err) => faults.push(String(err)));
  page.on('console', (m) => { if (m.type() === 'error') faults.push(m.text()); });
  page.on('request', (r) => { if (!r.url().startsWith(server.url) && !r.url().startsWith('data:')) faults.push(`asked ${r.url()}`); });
  await page.goto(server.url);
});
after(async () => {
  await browser?.close();
  await bot?.stop();
  await server?.stop();
  if (profile) await rm(profile, { recursive: true, force: true });
});

async function shot(name, p = page) {
  if (!shots) return;
  if (!existsSync(shots)) mkdirSync(shots, { recursive: true });
  await p.screenshot({ path: join(shots, `${name}.png`) });
}

const composer = () => page.locator('#composer-main textarea');
const thread = () => page.locator('#thread-list');
const send = async (text) => { await composer().fill(text); await composer().press('Enter'); };
const close = async () => { if (await page.locator('#close-thread').isVisible()) await page.click('#close-thread'); };

test('first paint shows three things to try', async () => {
  await page.getByText('Three things to try').waitFor();
  assert.equal(await page.locator('.hint-card').count(), 3);
  await page.locator('#directs .presence.on').first().waitFor();
  await shot('1-first');
  await page.getByText('See what runs where').click();
  assert.equal(await composer().inputValue(), '@ferry list');
});

test('a typed command is answered, and its thread opens', async () => {
  await composer().press('Enter');
  await page.locator('#list .mention', { hasText: '@ferry' }).waitFor();
  await thread().getByText('What runs where').waitFor();
  await thread().locator('th[scope=row]', { hasText: 'podinfo' }).waitFor();
  await page.locator('#list .replies', { hasText: '1 reply' }).waitFor();
  await shot('2-list');
});

test('an edit is seen without reloading', async () => {
  await page.evaluate(() => { window.stayed = true; });
  await close();
  await send('@ferry promote podinfo@6.5.4 to prod');
  await thread().getByText('Promoting podinfo 6.5.4 to prod').waitFor();
  assert.equal(await thread().locator('.task-mark.in_progress').count(), 1);
  await until('the step', async () => bot.steps.length > 0);
  await bot.steps[0](['complete', 'in_progress', 'pending'], 'applying');
  await thread().locator('.task-mark.complete').waitFor();
  const [box, first] = [await thread().locator('.b-plan').boundingBox(), await thread().getByText('Commit to main').boundingBox()];
  assert.ok(first.x > box.x && first.y > box.y && first.y < box.y + box.height, 'a finished task stays in its plan');
  await shot('3-under-way');
  await bot.steps[0](['complete', 'complete', 'complete'], 'done');
  await thread().locator('.task-mark.complete').nth(2).waitFor();
  await thread().getByText('(edited)').waitFor();
  assert.equal(await page.evaluate(() => window.stayed), true);
  await shot('4-done');
});

test('a button asks first, then changes the message', async () => {
  await close();
  await send('@ferry ask');
  await thread().getByRole('button', { name: 'Approve' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Sure?').waitFor();
  await shot('5-confirm');
  await dialog.getByRole('button', { name: 'Not yet' }).click();
  await thread().getByRole('button', { name: 'Approve' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Promote' }).click();
  await thread().getByText('Approved').waitFor();
  assert.equal(await thread().getByRole('button', { name: 'Approve' }).count(), 0);
  await shot('6-approved');
});

test('names and commands complete', async () => {
  await close();
  await composer().pressSequentially('@fe');
  await page.locator('.suggest li', { hasText: '@ferry' }).waitFor();
  await composer().press('Tab');
  assert.equal(await composer().inputValue(), '@ferry ');
  await composer().fill('');
  await composer().pressSequentially('/f');
  await page.locator('.suggest li', { hasText: '/ferry' }).waitFor();
  await shot('7-complete');
  await composer().press('Enter');
  assert.equal(await composer().inputValue(), '/ferry ');
});

test('a modal says what is wrong, then closes', async () => {
  await composer().fill('/ferry new');
  await composer().press('Enter');
  const modal = page.getByRole('dialog');
  await modal.getByLabel('App').fill('nope');
  await modal.getByLabel('Cluster').selectOption('prod');
  await modal.getByRole('button', { name: 'Plan it' }).click();
  await modal.getByText('There is no app called nope.').waitFor();
  await shot('8-modal');
  await modal.getByLabel('App').fill('podinfo');
  await modal.getByLabel('App').press('Enter');
  await modal.waitFor({ state: 'detached' });
  await page.locator('#list').getByText('Planned podinfo for prod').waitFor();
});

test('what people say is text, never markup', async () => {
  const evil = '<img src=x onerror=alert(1)> *bold* `code` <script>alert(2)</script> [x](javascript:alert(3)) javascript:alert(4)';
  await send(evil);
  await page.locator('#list').getByText('<img src=x onerror=alert(1)>').waitFor();
  assert.equal(await page.locator('#list img[src=x], #list script, #list a[href^="javascript:"]').count(), 0);
  const { messages } = await call('messages?channel=deploys');
  assert.match(messages.at(-1).text, /&lt;img src=x/);
});

test('one edits what one wrote, by keyboard alone', async () => {
  await send('a plain wrod');
  await page.locator('#list').getByText('a plain wrod').waitFor();
  await composer().press('ArrowUp');
  const box = page.getByLabel('Edit message').and(page.locator('textarea'));
  await box.fill('a plain word');
  await box.press('Enter');
  await page.locator('#list .msg', { hasText: 'a plain word (edited)' }).waitFor();
});

test('somebody else sits there: no private line of the first is seen', async () => {
  await send('/ferry secret');
  await page.getByText('Looking at secret').waitFor();
  await page.click('#me');
  await shot('9-people');
  await page.getByRole('menuitemradio', { name: /bob/ }).click();
  assert.equal(await page.getByText('Looking at secret').count(), 0);
  await page.locator('#directs .place', { hasText: 'ferry' }).click();
  await send('hello');
  await page.getByText('In private: hello').waitFor();
  await shot('10-direct');
});

test('every kind of block is shown, and no address but the harmless ones is a link', async () => {
  const post = (text, more) => bot.app.client.chat.postMessage({ channel: 'C02GENERAL', text, ...more });
  await page.locator('#channels .place', { hasText: 'general' }).click();
  await post('a *bold* _word_ ~gone~ `code` :rocket: <https://fluxcd.io|Flux> <!here>\n> quoted\n```\nkind: Deployment\n```');
  await post('diff', { blocks: [{ type: 'markdown', text: '## What changes\n- **image** of `podinfo`\n\n```diff\n@@ -8,3 +8,3 @@\n images:\n-    newTag: 6.5.3\n+    newTag: 6.5.4\n```\n[evil](javascript:alert(1))' }] });
  await post('alert', { attachments: [{ color: '#e01e5a', fallback: 'failed', blocks: [
    { type: 'section', text: { type: 'mrkdwn', text: ':x: *podinfo 6.6.0* did not become ready on `stage`' },
      accessory: { type: 'button', action_id: 'logs', text: { type: 'plain_text', text: 'Events' } } },
    { type: 'divider' },
    { type: 'context', elements: [{ type: 'mrkdwn', text: 'ImagePullBackOff · rolled back to `6.5.4`' }] }] }] });
  await post('table', { blocks: [{ type: 'table', rows: [['field', 'stage', 'prod'], ['version', '6.5.4', '6.5.3'], ['replicas', '2', '5']].map((r) => r.map((text) => ({ type: 'raw_text', text }))) },
    { type: 'rich_text', elements: [{ type: 'rich_text_list', style: 'bullet', elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text: 'one ' }, { type: 'user', user_id: 'U02BOB' }, { type: 'link', url: 'javascript:alert(5)', text: 'evil too' }] }] },
      { type: 'rich_text_preformatted', elements: [{ type: 'text', text: 'NAME     READY\npodinfo  3/3' }] }] }] });
  const list = page.locator('#list');
  await list.locator('pre .add, .diff .add').getByText('newTag: 6.5.4').waitFor();
  await list.getByText('evil too').waitFor();
  assert.equal(await list.locator('.attachment').evaluate((el) => getComputedStyle(el).borderLeftColor), 'rgb(224, 30, 90)');
  assert.equal(await list.locator('a[href^="javascript"]').count(), 0);
  assert.equal(await list.locator('.b-unknown').count(), 0);
  for (const part of ['strong', 's', 'code', '.emoji', 'blockquote', 'pre', 'table', 'ul']) assert.ok(await list.locator(part).count(), part);
  await shot('14-blocks');
});

test('it fits a phone', async () => {
  const phone = await browser.newPage();
  await phone.setViewportSize({ width: 390, height: 844 });
  await phone.goto(`${server.url}/#deploys`);
  await phone.locator('.msg').first().waitFor();
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  assert.equal(wide, false, 'the page is wider than the phone');
  await shot('11-phone', phone);
  await phone.getByRole('button', { name: 'Show channels' }).click();
  await phone.locator('#channels .place', { hasText: 'general' }).waitFor();
  await phone.waitForTimeout(shots ? 300 : 0);
  await shot('12-phone-side', phone);
  await phone.locator('#channels .place', { hasText: 'deploys' }).click();
  await phone.locator('.replies').first().click();
  await phone.locator('#thread-list .msg').nth(1).waitFor();
  const pane = await phone.locator('#thread').boundingBox();
  assert.deepEqual([pane.x, pane.y, pane.width, pane.height], [0, 0, 390, 844], 'the thread covers the phone');
  await shot('13-phone-thread', phone);
  await phone.close();
});

test('the page has no fault and asked nobody else', () => {
  assert.deepEqual(faults, []);
});
