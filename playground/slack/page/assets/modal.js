// Dialogs: an app's modals and the confirmation of a button. The browser's
// own <dialog> keeps the focus inside and closes on Escape.
import { h, icon, post } from './dom.js';
import { mrkdwn, textObject } from './mrkdwn.js';
import { blocks } from './blocks.js';

export function confirmThen(confirm, go) {
  if (!confirm) return go();
  const dialog = h('dialog', { class: 'modal confirm', 'aria-labelledby': 'confirm-title' });
  const close = () => { dialog.close(); dialog.remove(); };
  const style = confirm.style === 'danger' ? 'danger' : 'primary';
  dialog.append(
    h('header', {}, h('h2', { id: 'confirm-title' }, textObject(confirm.title))),
    h('div', { class: 'modal-body' }, confirm.text?.type === 'mrkdwn' ? mrkdwn(confirm.text.text) : textObject(confirm.text)),
    h('footer', {},
      h('button', { type: 'button', class: 'button', onclick: close }, textObject(confirm.deny) || 'Cancel'),
      h('button', { type: 'button', class: `button ${style}`, 'data-confirm': true, autofocus: true, onclick: () => { close(); go(); } }, textObject(confirm.confirm))));
  dialog.addEventListener('cancel', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

let open = null; // the app's modal in front of this person: {dialog, view}

// showView shows, replaces or takes away the modal.
export function showView(view, user, lists) {
  if (open && (!view || open.view.id !== view.id || open.view.hash !== view.hash)) {
    open.dialog.close();
    open.dialog.remove();
    open = null;
  }
  if (!view || open) return;
  const state = { values: {}, ...lists };
  const title = `view-title-${view.id}`;
  const dialog = h('dialog', { class: 'modal', 'aria-labelledby': title, 'data-view': view.callback_id || view.id });
  const closeView = () => post('slack/close', { user, view_id: view.id });
  const act = async (action_id, value) => {
    const a = await post('click', { user, view_id: view.id, action_id, value, values: state.values });
    return a.ok && a.acknowledged;
  };
  const form = h('form', { method: 'dialog', onsubmit: (ev) => { ev.preventDefault(); submit(dialog, view, user, state); } },
    h('header', {}, h('h2', { id: title }, textObject(view.title)),
      h('button', { type: 'button', class: 'icon-button', 'aria-label': 'Close', onclick: closeView }, icon('close'))),
    h('div', { class: 'modal-body' }, blocks(view.blocks, act, state), h('div', { class: 'error form-error', role: 'alert' })),
    h('footer', {},
      h('button', { type: 'button', class: 'button', onclick: closeView }, view.close ? textObject(view.close) : 'Cancel'),
      view.submit ? h('button', { type: 'submit', class: 'button primary', 'data-submit': true }, textObject(view.submit)) : null));
  dialog.append(form);
  dialog.addEventListener('cancel', (ev) => { ev.preventDefault(); closeView(); });
  document.body.append(dialog);
  open = { dialog, view };
  dialog.showModal();
  dialog.querySelector('.modal-body input, .modal-body select, .modal-body textarea')?.focus();
}

async function submit(dialog, view, user, state) {
  for (const e of dialog.querySelectorAll('.error')) e.textContent = '';
  const button = dialog.querySelector('[data-submit]');
  button?.setAttribute('aria-busy', 'true');
  const a = await post('slack/submit', { user, view_id: view.id, values: state.values });
  button?.removeAttribute('aria-busy');
  const errors = a.payload?.response_action === 'errors' ? a.payload.errors || {} : {};
  for (const [block, text] of Object.entries(errors)) {
    const box = [...dialog.querySelectorAll('[data-block]')].find((el) => el.dataset.block === block);
    (box?.querySelector('.error') || dialog.querySelector('.form-error')).textContent = text;
    box?.querySelector('.field')?.setAttribute('aria-invalid', 'true');
  }
  if (a.ok && !a.acknowledged) dialog.querySelector('.form-error').textContent = 'The app did not answer in time. Try again.';
}
