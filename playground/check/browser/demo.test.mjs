// The demo as somebody sits in front of it: the unmodified ferry behind the
// page in Debian's Chromium. With SCREENSHOTS=dir it makes the README's pictures.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const { chromium } = createRequire(new URL('../slack/package.json', import.meta.url))('playwright-core');
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let demo;
let url;
let browser;
let page;
let profile;
let ended = false;
let underWay = false; // there is a picture of a promotion that goes well
const faults = [];

// freePort asks the system for one.
function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

// until asks again until a deadline.
async function until(what, ask, ms = 60000) {
  const end = Date.now() + ms;
  for (;;) {
    if (await ask().catch(() => false)) return;
    if (ended) throw new Error(`the demo ended by itself; not seen: ${what}`);
    if (Date.now() > end) throw new Error(`not seen in time: ${what}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

before(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  demo = spawn(process.env.PLAYGROUND, ['-ferry', process.env.FERRY], {
    env: { ...process.env, PLAYGROUND_ADDR: `127.0.0.1:${port}` }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  demo.once('exit', () => { ended = true; });
  await until('a connected ferry', async () => (await (await fetch(`${url}/playground/state`)).json()).ferry === 'running');
  profile = await mkdtemp(join(tmpdir(), 'demo-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS, viewport: { width: 1280, height: 860 }, colorScheme: 'light',
  });
  page = browser.pages()[0] || await browser.newPage();
  page.setDefaultTimeout(60000);
  page.on('pageerror', (err) => faults.push(String(err)));
  page.on('console', (m) => { if (m.type() === 'error') faults.push(m.text()); });
  await page.goto(url);
  await page.evaluate(() => { window.stayed = true; });
});

after(async () => {
  await browser?.close();
  if (demo && demo.exitCode === null) {
    const code = new Promise((resolve) => { demo.once('exit', resolve); });
    demo.kill('SIGINT');
    assert.equal(await code, 0, 'the demo ends well');
  }
  if (profile) await rm(profile, { recursive: true, force: true });
});

const thread = () => page.locator('#thread-list');

async function ask(text) {
  if (await page.locator('#close-thread').isVisible()) await page.click('#close-thread');
  const composer = page.locator('#composer-main textarea');
  await composer.fill(text);
  await composer.press('Enter');
}

// picture shows a thread from its beginning, with every animation at its end.
async function picture(name) {
  if (!process.env.SCREENSHOTS) return;
  await mkdir(process.env.SCREENSHOTS, { recursive: true });
  await thread().evaluate((e) => { for (let p = e; p; p = p.parentElement) p.scrollTop = 0; });
  await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`), animations: 'disabled' });
}

// said waits until the thread's text holds all of the words.
async function said(...words) {
  for (const w of words) {
    await until(`"${w}" in the thread`, async () => (await thread().innerText()).replace(/\s+/g, ' ').includes(w));
  }
}

test('a list is answered in a thread', async () => {
  await ask('@ferry list podinfo');
  await said('podinfo on 3 clusters', 'prod 6.5.3 3/3 healthy', 'stage 6.5.4 2/2 healthy');
  await ask('@ferry list');
  await said('apps on 3 clusters', 'with different versions', '≠ podinfo 6.5.3 3/3');
  await picture('list');
});

test('a promotion moves before one\'s eyes and ends', async () => {
  await ask('@ferry promote podinfo@6.5.4 to prod');
  await said('Promote podinfo', '▸ Find the version in Git', '✓ Commit', '✓ Flux applied it', 'new pods are ready');
  if (process.env.SCREENSHOTS) {
    await picture('promote-running');
    underWay = (await thread().innerText()).includes('▸');
  }
  await said('is healthy on prod', '3 of 3 pods are ready');
  await thread().getByText('(edited)').first().waitFor();
  await picture('promote-done');
});

test('a version that never becomes ready is told with its reason, and a button', async () => {
  await ask('@ferry promote podinfo@6.5.5 to stage');
  await said('▸ Find the version in Git');
  await said('✓ Commit', '✓ Flux applied', '▸ 0 of 2 new pods are ready');
  if (!underWay) await picture('promote-running');
  await said('did not become healthy on stage', 'ImagePullBackOff: ghcr.io/stefanprodan/podinfo:6.5.5 is not made for the platform of the node. 0 of 2 new pods are ready.',
    'The last version seen healthy there is 6.5.4');
  await thread().getByRole('button', { name: 'Roll back to 6.5.4' }).waitFor();
  await picture('promote-failed');
});

test('the button asks first, then rolls back', async () => {
  await thread().getByRole('button', { name: 'Roll back to 6.5.4' }).click();
  await page.getByRole('dialog').getByRole('button').last().click();
  await said('Roll back podinfo', 'is healthy on stage');
  assert.equal(await thread().getByRole('button', { name: 'Roll back to 6.5.4' }).count(), 0, 'the button is used up');
});

test('what ferry cannot prove it refuses', async () => {
  await ask('@ferry promote backend@1.5.0 to prod');
  await said('shares its version with others', 'on stage', 'Nothing was changed');
});

test('the page was never loaded again, and has no fault', async () => {
  assert.equal(await page.evaluate(() => window.stayed), true);
  assert.deepEqual(faults, []);
});
