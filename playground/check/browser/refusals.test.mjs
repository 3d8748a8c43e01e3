// What ferry refuses, as somebody sees it who asks: each answer for itself, and
// with SCREENSHOTS=dir all of them in one picture.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { album, sit } from './desk.mjs';

let desk;
const answers = []; // pictures of the closing messages

before(async () => { desk = await sit('refusals', { width: 1280, height: 1100 }); });

after(() => desk?.leave());

// press uses the control interface of the local GitHub.
async function press(path, state) {
  const answer = await fetch(`${desk.url}/playground/github/${path}`, { method: 'POST', body: JSON.stringify({ state }) });
  assert.equal(answer.status, 200, await answer.text());
}

// answered waits for words, then keeps a picture of the question's answer: the
// last message of the thread, or with whole all of them.
async function answered(name, question, words, which = -1) {
  await desk.ask(`@ferry ${question}`);
  await desk.said(...words);
  const messages = desk.thread().locator('.msg');
  const message = which < 0 ? messages.last() : messages.nth(which);
  const picture = await message.screenshot({ animations: 'disabled' });
  answers.push({ name, question, picture });
  if (process.env.EACH) await writeFile(`${process.env.EACH}/${name.replace(/\W+/g, '-')}.png`, picture);
}

for (const [name, question, ...words] of [
  ['shared base', 'promote backend@1.5.0 to prod', 'shares its version with others', 'Nothing was changed.', 'promote backend@1.5.0 to prod pin'],
  ['ambiguous', 'promote shop@6.5.4 to prod', 'more than one version in Git', 'promote shop@6.5.4 image to prod'],
  ['encrypted', 'promote mailer@35 to prod', 'in an encrypted file', 'Change it with sops'],
  ['symbolic link', 'promote search@2.9.0 to prod', 'cannot be built from Git', 'is a symbolic link to'],
  ['invalid YAML', 'promote checkout@3.2.0 to prod', 'cannot be built from Git', 'merge conflict at line 12'],
  ['range', 'promote redis@18.6.1 to prod', 'follows a range', 'promote redis@18.6.1 to prod pin'],
  ['not in Git', 'promote legacy@1.4.1 to prod', 'is not managed by Flux', 'Declare it in the repository'],
  ['from a Secret', 'promote billing@5.1.0 to prod', 'a variable that is not in Git', 'may come from Secret flux-system/versions'],
]) {
  test(name, () => answered(name, question, words));
}

test('image automation', () => answered('image automation', 'promote gateway@0.9.1 to prod', ['belongs to image automation', 'ImageUpdateAutomation', 'Nothing was changed.']));

test('no write permission', async () => {
  await press('token', 'read');
  await answered('no write permission', 'promote podinfo@6.5.4 to prod', ['may not write to acme/fleet', 'An operator has to']);
});

test('a ruleset is no refusal: it becomes a pull request', async () => {
  await press('token', 'write');
  await press('protection/main', 'ruleset');
  await answered('ruleset', 'promote podinfo@6.5.4 to prod', ['the ruleset “changes are reviewed” wants one', 'It waits for approval'], 1);
});

test('the page has no fault', async () => {
  assert.deepEqual(desk.faults, []);
  const path = await album('refusals');
  if (!path) return;
  const cards = answers.map(({ name, question, picture }) => `<figure><figcaption><b>${name}</b> <code>${question}</code></figcaption>`
    + `<img src="data:image/png;base64,${picture.toString('base64')}"></figure>`).join('');
  const sheet = await desk.browser.newPage();
  await sheet.setViewportSize({ width: 1152, height: 800 });
  await sheet.setContent(`<!doctype html><style>
    body{margin:16px;width:1120px;columns:2;column-gap:16px;font:13px system-ui,sans-serif;color:#1d1c1d;background:#fff}
    figure{margin:0 0 14px;break-inside:avoid;border:1px solid #ddd;border-radius:8px;overflow:hidden}
    figcaption{padding:6px 10px;background:#f4f4f4;border-bottom:1px solid #ddd} img{display:block;width:100%}</style>${cards}`);
  await sheet.screenshot({ path, fullPage: true });
  await sheet.close();
});
