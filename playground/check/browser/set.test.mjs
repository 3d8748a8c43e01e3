// A set as somebody sees it who asks for one: the plan, the button, and the account.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { album, sit } from './desk.mjs';

let desk;

before(async () => { desk = await sit('armada', { width: 1280, height: 1020 }); });

after(() => desk?.leave());

// picture shows a thread from its beginning.
async function picture(name) {
  const path = await album(name);
  if (!path) return;
  await desk.thread().evaluate((e) => { for (let p = e; p; p = p.parentElement) p.scrollTop = 0; });
  await desk.page.screenshot({ path, animations: 'disabled' });
}

test('a dry run shows all of it and does nothing', async () => {
  await desk.ask('@ferry promote all from stage to prod-* --dry-run');
  await desk.said('Would promote 40 apps from stage to prod-ca, prod-eu and prod-us', '120 changes in 3 waves', 'dry run: nothing was changed');
  assert.equal(await desk.thread().getByRole('button', { name: 'Promote' }).count(), 0);
});

test('a set shows its plan, begins with a button, and accounts for itself', async () => {
  await desk.ask('@ferry promote app17 from stage to prod-*');
  await desk.said('3 changes in 3 waves, one commit each', 'Nothing has happened yet');
  await picture('set-plan');
  await desk.thread().getByRole('button', { name: 'Promote 3' }).click();
  await desk.page.getByRole('dialog').getByRole('button').last().click();
  await desk.said('Wave 2 of 3 failed: app17 is not healthy on prod-eu, prod-us is untouched', 'Untouched: prod-us.');
  assert.equal(await desk.thread().getByRole('button', { name: 'Promote 3' }).count(), 0, 'the button is used up');
  await desk.thread().getByRole('button', { name: 'Roll back to 1.0.0' }).waitFor();
  await picture('set-account');
});

test('the page has no fault', () => assert.deepEqual(desk.faults, []));
