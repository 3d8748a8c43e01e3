// The demo as somebody sits in front of it: the unmodified ferry behind the
// page in Debian's Chromium. With SCREENSHOTS=dir it makes the README's pictures.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { album, sit } from './desk.mjs';

let desk;
let underWay = false; // there is a picture of a promotion that goes well

before(async () => {
  desk = await sit();
  await desk.page.evaluate(() => { window.stayed = true; });
});

after(() => desk?.leave());

const thread = () => desk.thread();
const ask = (text) => desk.ask(text);
const said = (...words) => desk.said(...words);

// picture shows a thread from its beginning, with every animation at its end.
async function picture(name) {
  const path = await album(name);
  if (!path) return;
  await thread().evaluate((e) => { for (let p = e; p; p = p.parentElement) p.scrollTop = 0; });
  await desk.page.screenshot({ path, animations: 'disabled' });
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
  await desk.page.getByRole('dialog').getByRole('button').last().click();
  await said('Roll back podinfo', 'is healthy on stage');
  assert.equal(await thread().getByRole('button', { name: 'Roll back to 6.5.4' }).count(), 0, 'the button is used up');
});

test('what ferry cannot prove it refuses', async () => {
  await ask('@ferry promote backend@1.5.0 to prod');
  await said('shares its version with others', 'on stage', 'Nothing was changed');
});

// press presses a button of the thread, and what asks whether that is meant.
async function press(name) {
  await thread().getByRole('button', { name }).click();
  await desk.page.getByRole('dialog').getByRole('button').last().click();
}

test('who asked does not approve, somebody else does', async () => {
  await desk.as('bob');
  await ask('@ferry promote ledger@2.3.1 to prod');
  await said('waits for approval', 'It needs 1 approval of release managers and has 0.', 'It waits until', 'newTag: "2.3.0"');
  await press('Approve');
  await said('You asked for it: somebody else has to approve it');
  await picture('approval');
  await desk.as('eve');
  await press('Approve');
  await said('is approved by you', 'Approved: ledger 2.3.1 on prod', 'ledger 2.3.1 is healthy on prod');
  assert.equal(await thread().getByRole('button', { name: 'Approve' }).count(), 0, 'the button is used up');
  await desk.as('ada');
});

test('a hold is told, and a dry run has every reason at once', async () => {
  await ask('@ferry hold ledger on prod because the books are being closed');
  await said('ledger is held on prod until somebody releases it');
  await ask('@ferry promote ledger@2.3.2 to prod --dry-run');
  await said('ledger would go from 2.3.1 to 2.3.2 on prod, but not now', 'it is held by', 'needs 1 approval of release managers');
  await picture('dry-run');
  await ask('@ferry release ledger on prod');
  await said('ledger is released on prod');
});

test('the page was never loaded again, and has no fault', async () => {
  assert.equal(await desk.page.evaluate(() => window.stayed), true);
  assert.deepEqual(desk.faults, []);
});
