// The composer: Enter sends, Shift+Enter breaks the line, @ # and / complete,
// Arrow up in an empty one edits the last message.
import { h, icon } from './dom.js';

// opts: {label, lists() → {users, channels, commands}, send(text), editLast()}
export function composer(root, opts) {
  const id = `${root.id}-list`;
  const box = h('textarea', {
    rows: 1, 'aria-label': opts.label, autocomplete: 'off', spellcheck: 'true',
    'aria-autocomplete': 'list', 'aria-controls': id,
  });
  const popup = h('ul', { class: 'suggest', role: 'listbox', id, hidden: true });
  const send = h('button', { type: 'button', class: 'send', 'aria-label': 'Send', title: 'Send', disabled: true, onclick: () => submit() }, icon('send', 18));
  const insert = (text) => () => { box.focus(); type(text); };
  const type = (text) => {
    const before = box.value.slice(0, box.selectionStart);
    const gap = before && !/\s$/.test(before) ? ' ' : '';
    box.setRangeText(gap + text, box.selectionStart, box.selectionEnd, 'end');
    changed();
  };
  root.replaceChildren(h('div', { class: 'composer-box' }, popup, box, h('div', { class: 'composer-bar' },
    h('button', { type: 'button', class: 'icon-button text', 'aria-label': 'Mention somebody', title: 'Mention somebody', onclick: insert('@') }, '@'),
    h('button', { type: 'button', class: 'icon-button text', 'aria-label': 'Slash command', title: 'Slash command', onclick: () => { box.focus(); if (!box.value) type('/'); } }, '/'),
    h('span', { class: 'muted keys' }, h('kbd', {}, 'Enter'), ' sends, ', h('kbd', {}, 'Shift'), '+', h('kbd', {}, 'Enter'), ' breaks the line'),
    send)));

  let found = [];
  let at = 0;
  let from = 0;

  function changed() {
    box.style.height = 'auto';
    box.style.height = `${Math.min(box.scrollHeight, 220)}px`;
    send.disabled = !box.value.trim();
    complete();
  }

  function complete() {
    const before = box.value.slice(0, box.selectionStart);
    const { users, channels, commands } = opts.lists();
    found = [];
    let m;
    if ((m = before.match(/^\/\S*$/))) {
      found = commands.filter((c) => c.name.startsWith(m[0])).map((c) => ({ insert: `${c.name} `, label: c.name, note: [c.usage, c.description].filter(Boolean).join(' · ') }));
    } else if ((m = before.match(/(?:^|[\s(])(@[\p{L}\p{N}._-]*)$/u))) {
      const q = m[1].slice(1).toLowerCase();
      found = users.filter((u) => u.name.toLowerCase().startsWith(q)).map((u) => ({ insert: `@${u.name} `, label: `@${u.name}`, note: u.real_name === u.name ? u.title : u.real_name }));
    } else if ((m = before.match(/(?:^|[\s(])(#[\p{L}\p{N}._-]*)$/u))) {
      found = channels.filter((c) => c.name.startsWith(m[1].slice(1))).map((c) => ({ insert: `#${c.name} `, label: `#${c.name}`, note: c.topic }));
    }
    found = found.slice(0, 8);
    from = m ? before.length - (m[1] ?? m[0]).length : 0;
    at = 0;
    paint();
  }

  function paint() {
    popup.hidden = found.length === 0;
    popup.replaceChildren(...found.map((f, i) => h('li', {
      role: 'option', id: `${id}-${i}`, 'aria-selected': String(i === at),
      onmousedown: (ev) => { ev.preventDefault(); at = i; accept(); },
    }, h('strong', {}, f.label), f.note ? h('span', { class: 'muted' }, f.note) : null)));
    if (found.length) box.setAttribute('aria-activedescendant', `${id}-${at}`);
    else box.removeAttribute('aria-activedescendant');
  }

  function accept() {
    const f = found[at];
    box.setRangeText(f.insert, from, box.selectionStart, 'end');
    found = [];
    paint();
    changed();
  }

  async function submit() {
    const text = box.value.trim();
    if (!text) return;
    box.value = '';
    changed();
    if (!(await opts.send(text)) && !box.value) {
      box.value = text; // nothing typed is lost
      changed();
    }
  }

  box.addEventListener('input', changed);
  box.addEventListener('blur', () => { found = []; paint(); });
  box.addEventListener('keydown', (ev) => {
    if (ev.isComposing) return;
    if (found.length) {
      // A name that is complete already is sent, not completed.
      const whole = found[at].insert.trim() === box.value.slice(from, box.selectionStart);
      if (ev.key === 'ArrowDown' || ev.key === 'ArrowUp') {
        at = (at + (ev.key === 'ArrowDown' ? 1 : found.length - 1)) % found.length;
        paint();
        return void ev.preventDefault();
      }
      if (ev.key === 'Tab' || (ev.key === 'Enter' && !ev.shiftKey && !whole)) {
        accept();
        return void ev.preventDefault();
      }
      if (ev.key === 'Escape') {
        found = [];
        paint();
        return void ev.stopPropagation();
      }
    }
    if (ev.key === 'Enter' && !ev.shiftKey) {
      ev.preventDefault();
      submit();
    } else if (ev.key === 'ArrowUp' && !box.value) {
      ev.preventDefault();
      opts.editLast?.();
    }
  });
  return {
    focus: () => box.focus(),
    set: (text) => { box.value = text; box.focus(); box.setSelectionRange(text.length, text.length); changed(); found = []; paint(); },
    placeholder: (text) => { box.placeholder = text; box.setAttribute('aria-label', text); },
  };
}
