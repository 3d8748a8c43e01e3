// desk is what somebody sits at to try ferry: the unmodified binaries of the
// playground and ferry, and their page in Debian's Chromium.
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

// freePort asks the system for one.
function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

// sit opens the playground with a fleet and its page; viewport is how large, and more
// are further arguments of the playground.
export async function sit(fleet = 'demo', viewport = { width: 1280, height: 860 }, more = []) {
  const port = await freePort();
  const d = { url: `http://127.0.0.1:${port}`, faults: [] };
  let ended = false;
  const demo = spawn(process.env.PLAYGROUND, ['-ferry', process.env.FERRY, '-fleet', fleet, ...more], {
    env: { ...process.env, PLAYGROUND_ADDR: `127.0.0.1:${port}` }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  demo.once('exit', () => { ended = true; });

  // until asks again until a deadline.
  d.until = async (what, ask, ms = 60000) => {
    const end = Date.now() + ms;
    for (;;) {
      if (await ask().catch(() => false)) return;
      if (ended) throw new Error(`the demo ended by itself; not seen: ${what}`);
      if (Date.now() > end) throw new Error(`not seen in time: ${what}`);
      await new Promise((r) => setTimeout(r, 50));
    }
  };
  // leave ends everything, and finds that the demo ends well.
  d.leave = async () => {
    await d.browser?.close();
    if (demo.exitCode === null) {
      const code = new Promise((resolve) => { demo.once('exit', resolve); });
      demo.kill('SIGINT');
      assert.equal(await code, 0, 'the demo ends well');
    }
    if (d.profile) await rm(d.profile, { recursive: true, force: true });
  };
  try {
    await d.until('a connected ferry', async () => (await (await fetch(`${d.url}/playground/state`)).json()).ferry === 'running');
    d.profile = await mkdtemp(join(tmpdir(), 'demo-'));
    d.browser = await chromium.launchPersistentContext(d.profile, {
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS, viewport, colorScheme: 'light',
    });
    d.page = d.browser.pages()[0] || await d.browser.newPage();
    d.page.setDefaultTimeout(60000);
    d.page.on('pageerror', (err) => d.faults.push(String(err)));
    d.page.on('console', (m) => { if (m.type() === 'error') d.faults.push(m.text()); });
    await d.page.goto(d.url);
  } catch (err) {
    await d.leave().catch(() => {});
    throw err;
  }

  d.thread = () => d.page.locator('#thread-list');
  d.ask = async (text) => {
    if (await d.page.locator('#close-thread').isVisible()) await d.page.click('#close-thread');
    const composer = d.page.locator('#composer-main textarea');
    await composer.fill(text);
    await composer.press('Enter');
  };
  // as has somebody else sit down, by the name that they go by.
  d.as = async (name) => {
    await d.page.click('#me');
    await d.page.locator('#me-menu').getByText(name, { exact: true }).click();
    await d.until(`${name} at the desk`, async () => (await d.page.locator('#me strong').innerText()) === name);
  };
  // said waits until the thread's text holds all of the words.
  d.said = async (...words) => {
    for (const w of words) {
      await d.until(`"${w}" in the thread`, async () => (await d.thread().innerText()).replace(/\s+/g, ' ').includes(w));
    }
  };
  return d;
}

// album is a file for a picture, or undefined where none are wanted: SCREENSHOTS
// is the folder.
export async function album(name) {
  if (!process.env.SCREENSHOTS) return undefined;
  await mkdir(process.env.SCREENSHOTS, { recursive: true });
  return join(process.env.SCREENSHOTS, `${name}.png`);
}
