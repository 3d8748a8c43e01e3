// The page: what it knows (state), what it hears (one event stream), and how
// it is laid out. Nothing polls.
import { $, avatar, fill, h, icon, post, toast } from './dom.js';
import { setNames } from './mrkdwn.js';
import { message, time } from './message.js';
import { composer } from './composer.js';
import { blocks } from './blocks.js';
import { showView } from './modal.js';

const state = {
  users: [], channels: [], apps: [], groups: {}, presence: {}, hints: [], hintsTitle: '', tried: new Set(),
  messages: new Map(), // by channel: Map of ts to message
  views: new Map(), // by user
  homes: new Map(), // by app and user
  unread: new Map(), mentioned: new Set(),
  me: '', channel: '', thread: '', tab: 'messages', mine: new Set(), editing: '',
};

const user = (id) => state.users.find((u) => u.id === id);
const channel = (id) => state.channels.find((c) => c.id === id);
const said = (id) => state.messages.get(id) || state.messages.set(id, new Map()).get(id);
const wide = () => window.matchMedia('(min-width: 900px)').matches;
const seen = (m) => (!m.ephemeral || m.to === state.me) && (!m.deleted || m.reply_count > 0);
const isRoot = (m) => !m.thread_ts || m.thread_ts === m.ts || m.broadcast;
const visible = () => state.channels.filter((c) => (c.user ? c.user === state.me : !c.private || c.members.includes(state.me)));

setNames({
  user: (id) => user(id)?.name, channel: (id) => channel(id)?.name, group: (id) => state.groups[id], me: () => state.me,
});

// ---- hearing

function connect() {
  const live = new EventSource('/playground/live');
  const on = (kind, f) => live.addEventListener(kind, (ev) => f(JSON.parse(ev.data)));
  on('snapshot', snapshot);
  on('message', heard);
  on('presence', (p) => { state.presence = p; side(); });
  on('view', (v) => { state.views.set(v.user, v.view); if (v.user === state.me) view(); });
  on('home', (v) => { state.homes.set(`${v.app} ${v.user}`, v.view); if (state.tab === 'home') home(); });
  live.onopen = () => linkState('connected');
  live.onerror = () => linkState('reconnecting…');
}

function linkState(text) {
  $('link').textContent = text;
  $('link').classList.toggle('bad', text !== 'connected');
}

function snapshot(s) {
  Object.assign(state, { users: s.users, channels: s.channels, apps: s.apps, groups: s.groups, presence: s.presence, hints: s.hints || [], hintsTitle: s.hints_title });
  state.messages = new Map();
  for (const m of s.messages) said(m.channel).set(m.ts, m);
  state.views = new Map(s.views.map((v) => [v.user, v.view]));
  state.homes = new Map(s.homes.map((v) => [`${v.app} ${v.user}`, v.view]));
  $('team').textContent = s.team.name;
  document.title = s.team.name;
  const people = state.users.filter((u) => !u.bot);
  const wanted = new URLSearchParams(location.search).get('user') || sessionStorage.getItem('me');
  if (!user(state.me)) state.me = (people.find((u) => u.id === wanted || u.name === wanted) || people[0])?.id || '';
  const [where, thread] = location.hash.slice(1).split('/');
  if (!channel(state.channel)) {
    state.channel = (visible().find((c) => c.id === where || c.name === where) || visible()[0])?.id || '';
    state.thread = thread || '';
  }
  all();
}

function heard(m) {
  const known = said(m.channel);
  const before = known.get(m.ts);
  known.set(m.ts, m);
  if (!before && (m.channel !== state.channel || document.hidden) && seen(m) && m.user !== state.me && visible().some((c) => c.id === m.channel)) {
    state.unread.set(m.channel, (state.unread.get(m.channel) || 0) + (m.channel === state.channel ? 0 : 1));
    if (m.text.includes(`<@${state.me}>`) || channel(m.channel)?.user) state.mentioned.add(m.channel);
    side();
  }
  if (m.channel !== state.channel) return;
  if (isRoot(m)) place($('list'), m, before, false);
  if (state.thread && (m.ts === state.thread || m.thread_ts === state.thread)) place($('thread-list'), m, before, true);
  // The first answer to what was just typed here opens its thread.
  if (!state.thread && wide() && m.thread_ts && m.thread_ts !== m.ts && state.mine.delete(m.thread_ts) && seen(m)) openThread(m.thread_ts);
  hints();
}

// ---- the list

function shown(inThread) {
  const list = [...said(state.channel).values()].sort((a, b) => (a.ts < b.ts ? -1 : 1)).filter(seen);
  return inThread ? list.filter((m) => m.ts === state.thread || m.thread_ts === state.thread) : list.filter(isRoot);
}

const sameRun = (a, b) => a && a.user === b.user && a.ephemeral === b.ephemeral && Number(b.ts) - Number(a.ts) < 300
  && time(a.ts).toDateString() === time(b.ts).toDateString() && !a.deleted;

function draw(m, previous, inThread) {
  const root = inThread && m.ts === state.thread;
  const el = message(m, {
    user, me: state.me, inThread, compact: !root && previous?.ts !== state.thread && sameRun(previous, m),
    openThread, startEdit: (msg) => edit(msg, inThread),
  });
  return el;
}

// place puts one message where it belongs: in place of what it was, or at the
// end; anything else draws the list anew.
function place(list, m, before, inThread) {
  const stick = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const old = list.querySelector(`[data-ts="${CSS.escape(m.ts)}"]`);
  const items = shown(inThread);
  const at = items.findIndex((x) => x.ts === m.ts);
  if (old && at >= 0) {
    if (state.editing === m.ts) return;
    const el = draw(m, items[at - 1], inThread);
    if (before && (before.edited_ts !== m.edited_ts)) el.classList.add('changed');
    const focused = old.contains(document.activeElement) ? document.activeElement?.dataset.action : undefined;
    const hadFocus = old.contains(document.activeElement);
    old.replaceWith(el);
    if (hadFocus) (focused && el.querySelector(`[data-action="${CSS.escape(focused)}"]`) || el).focus({ preventScroll: true });
  } else if (!old && at >= 0 && at === items.length - 1 && list.querySelector('.msg')) {
    const previous = items[at - 1];
    if (!previous || time(previous.ts).toDateString() !== time(m.ts).toDateString()) return drawList(list, inThread);
    if (inThread) threadCount(list, items);
    const el = draw(m, previous, inThread);
    el.classList.add('fresh');
    list.append(el);
  } else {
    return drawList(list, inThread);
  }
  if (stick || m.user === state.me) list.scrollTop = list.scrollHeight;
}

function threadCount(list, items) {
  const n = items.length - 1;
  const rule = list.querySelector('.thread-rule');
  const text = n === 1 ? '1 reply' : `${n} replies`;
  if (rule) rule.firstChild.textContent = text;
  else if (n > 0) list.querySelector('.msg')?.after(h('div', { class: 'thread-rule' }, h('span', {}, text)));
}

function drawList(list, inThread) {
  const items = shown(inThread);
  const out = [];
  let day = '';
  items.forEach((m, i) => {
    const d = time(m.ts).toDateString();
    if (d !== day && !inThread) {
      day = d;
      const today = new Date().toDateString() === d;
      out.push(h('div', { class: 'day' }, h('span', {}, today ? 'Today' : time(m.ts).toLocaleDateString([], { weekday: 'long', month: 'long', day: 'numeric' }))));
    }
    out.push(draw(m, items[i - 1], inThread));
  });
  const c = channel(state.channel);
  if (!inThread && c) out.unshift(intro(c));
  fill(list, out);
  if (inThread && items.length > 1) threadCount(list, items);
  list.scrollTop = list.scrollHeight;
}

function intro(c) {
  if (c.user) {
    const bot = user(state.apps.find((a) => a.id === c.app)?.user);
    return h('div', { class: 'intro' }, avatar(bot, 'l'), h('h2', {}, c.name), h('p', {}, `This conversation is between you and ${c.name}. You need not mention it here: say what you want.`));
  }
  return h('div', { class: 'intro' }, h('h2', {}, `# ${c.name}`), h('p', {}, c.topic || 'This is the beginning of the channel.'));
}

// ---- doing

function openThread(ts, focus) {
  state.thread = ts;
  $('thread').hidden = false;
  $('app').classList.add('with-thread');
  $('thread-where').textContent = channel(state.channel)?.user ? channel(state.channel).name : `#${channel(state.channel)?.name}`;
  drawList($('thread-list'), true);
  if (focus) threadComposer.focus();
  address();
}

function closeThread() {
  state.thread = '';
  $('thread').hidden = true;
  $('app').classList.remove('with-thread');
  address();
}

function address() {
  const c = channel(state.channel);
  history.replaceState(null, '', `#${c?.user ? c.id : c?.name || ''}${state.thread ? `/${state.thread}` : ''}`);
}

function go(id, tab = 'messages') {
  if (id !== state.channel) closeThread();
  state.channel = id;
  state.tab = tab;
  state.unread.delete(id);
  state.mentioned.delete(id);
  $('app').classList.remove('side-open');
  address();
  all();
  mainComposer.focus();
}

function become(id) {
  state.me = id;
  sessionStorage.setItem('me', id);
  if (!visible().some((c) => c.id === state.channel)) {
    const old = channel(state.channel);
    state.channel = (visible().find((c) => c.app && c.app === old?.app) || visible()[0])?.id || '';
    closeThread();
  }
  all();
}

async function say(text, thread) {
  const slash = text.match(/^(\/\S+)\s*([\s\S]*)$/);
  if (slash) {
    const a = await post('slash', { user: state.me, channel: state.channel, command: slash[1], text: slash[2] });
    return a.ok;
  }
  const a = await post('say', { user: state.me, channel: state.channel, text, thread_ts: thread });
  if (a.ok && !thread) state.mine.add(a.ts);
  // The answer may have come before this one: then open its thread now.
  const m = said(state.channel).get(a.ts);
  if (a.ok && !thread && !state.thread && wide() && m?.reply_count > 0 && state.mine.delete(a.ts)) openThread(a.ts);
  return a.ok;
}

// typedText gives back what somebody typed, for editing it.
const typedText = (t) => t
  .replace(/<@([UW][A-Z0-9]+)(?:\|[^>]*)?>/g, (_, id) => `@${user(id)?.name || id}`)
  .replace(/<#([C][A-Z0-9]+)(?:\|([^>]*))?>/g, (_, id, n) => `#${n || channel(id)?.name || id}`)
  .replace(/<!subteam\^([A-Z0-9]+)[^>]*>/g, (_, id) => `@${state.groups[id] || id}`)
  .replace(/<!(here|channel|everyone)[^>]*>/g, '@$1')
  .replace(/<(?:https?|mailto):[^|>]*\|([^>]*)>/g, '$1').replace(/<([^>]*)>/g, '$1')
  .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

function edit(m, inThread) {
  const list = inThread ? $('thread-list') : $('list');
  const body = list.querySelector(`[data-ts="${CSS.escape(m.ts)}"] .text`);
  if (!body) return;
  state.editing = m.ts;
  const end = () => { state.editing = ''; drawList(list, inThread); };
  const save = async () => {
    const text = box.value.trim();
    state.editing = '';
    if (text && text !== typedText(m.text)) await post('edit', { user: state.me, channel: m.channel, ts: m.ts, text });
    end();
  };
  const box = h('textarea', {
    rows: 2, 'aria-label': 'Edit message', value: typedText(m.text),
    onkeydown: (ev) => {
      if (ev.key === 'Escape') { ev.stopPropagation(); end(); }
      if (ev.key === 'Enter' && !ev.shiftKey) { ev.preventDefault(); save(); }
    },
  });
  fill(body, h('div', { class: 'editor' }, box, h('div', { class: 'b-actions' },
    h('button', { type: 'button', class: 'button small', onclick: end }, 'Cancel'),
    h('button', { type: 'button', class: 'button primary small', onclick: save }, 'Save'))));
  box.focus();
}

const editLast = (inThread) => () => {
  const m = shown(inThread).filter((x) => x.user === state.me && !x.ephemeral && !x.deleted).pop();
  if (m) edit(m, inThread);
};

// ---- laying out

function side() {
  const item = (c, label) => {
    const unread = state.unread.get(c.id);
    return h('li', {}, h('button', {
      type: 'button', class: `place${unread ? ' unread' : ''}`, 'aria-current': c.id === state.channel ? 'page' : undefined, onclick: () => go(c.id),
    }, label, unread ? h('span', { class: `badge${state.mentioned.has(c.id) ? ' loud' : ''}` }, String(unread)) : null));
  };
  const mine = visible();
  fill($('channels'), mine.filter((c) => !c.user).map((c) => item(c, [h('span', { class: 'hash' }, c.private ? icon('lock', 14) : '#'), h('span', { class: 'name' }, c.name)])));
  fill($('directs'), mine.filter((c) => c.user).map((c) => {
    const bot = state.apps.find((a) => a.id === c.app)?.user;
    const on = state.presence[bot];
    return item(c, [h('span', { class: 'with-presence' }, avatar(user(bot), 's'), h('span', { class: `presence${on ? ' on' : ''}`, role: 'img', 'aria-label': on ? 'connected' : 'not connected' })), h('span', { class: 'name' }, c.name), h('span', { class: 'app-tag' }, 'APP')]);
  }));
  const me = user(state.me);
  fill($('me'), avatar(me), h('span', { class: 'me-name' }, h('small', {}, 'You are'), h('strong', {}, me?.name || '')), me ? role(me) : null, icon('up', 16));
  fill($('me-menu'), state.users.filter((u) => !u.bot).map((u) => h('button', {
    type: 'button', role: 'menuitemradio', 'aria-checked': String(u.id === state.me), onclick: () => { menu(false); become(u.id); $('me').focus(); },
  }, avatar(u), h('span', { class: 'me-name' }, h('strong', {}, u.name), h('small', {}, u.title || u.real_name)), role(u))));
}

const role = (u) => (u.admin ? h('span', { class: 'role' }, 'admin') : u.guest ? h('span', { class: 'role guest' }, 'guest') : null);

function menu(open) {
  $('me-menu').hidden = !open;
  $('me').setAttribute('aria-expanded', String(open));
  if (open) $('me-menu').querySelector('[aria-checked=true]')?.focus();
}

function head() {
  const c = channel(state.channel);
  $('title').textContent = c ? (c.user ? c.name : `# ${c.name}`) : 'No channel';
  $('topic').textContent = c?.topic || '';
  $('tabs').hidden = !c?.user;
  if (c?.user) {
    fill($('tabs'), [['messages', 'Messages'], ['home', 'Home']].map(([id, label]) => h('button', {
      type: 'button', role: 'tab', 'aria-selected': String(state.tab === id),
      onclick: () => { state.tab = id; if (id === 'home') post('slack/home', { user: state.me, app: c.app }); all(); },
    }, label)));
  } else {
    state.tab = 'messages';
  }
  const label = c ? `Message ${c.user ? c.name : `#${c.name}`}` : 'Message';
  mainComposer.placeholder(label);
  threadComposer.placeholder('Reply…');
}

function home() {
  const c = channel(state.channel);
  const v = state.homes.get(`${c?.app} ${state.me}`);
  const act = async (action_id, value) => (await post('click', { user: state.me, view_id: v.id, action_id, value })).acknowledged;
  fill($('home'), v ? h('div', { class: 'blocks' }, blocks(v.blocks, act)) : h('p', { class: 'muted' }, 'The app shows nothing here yet.'));
}

function view() {
  showView(state.views.get(state.me), state.me, { users: state.users.filter((u) => !u.bot), channels: state.channels.filter((c) => !c.user) });
}

function hints() {
  const typed = new Set([...state.messages.values()].flatMap((c) => [...c.values()].filter((m) => !m.bot_id).map((m) => typedText(m.text))));
  const left = state.hints.filter((x) => !state.tried.has(x.text) && !typed.has(x.text));
  const any = left.length > 0 && !(sessionStorage.getItem('no-hints')) && state.tab === 'messages';
  $('hints').hidden = !any;
  if (!any) return;
  $('hints').classList.toggle('small', shown(false).length > 0);
  fill($('hints'), h('div', { class: 'hints-head' }, h('strong', {}, left.length === state.hints.length ? state.hintsTitle : 'Also worth trying'),
    h('button', { type: 'button', class: 'icon-button', 'aria-label': 'Hide hints', onclick: () => { sessionStorage.setItem('no-hints', '1'); hints(); } }, icon('close', 14))),
  h('div', { class: 'hint-cards' }, left.slice(0, 3).map((x) => h('button', { type: 'button', class: 'hint-card', onclick: () => tryHint(x) }, h('strong', {}, x.title), h('code', {}, x.text)))));
}

function tryHint(x) {
  const c = visible().find((v) => v.id === x.channel || v.name === x.channel?.replace(/^#/, ''));
  if (c && c.id !== state.channel) go(c.id);
  state.tried.add(x.text);
  mainComposer.set(x.text);
  hints();
}

function all() {
  side();
  head();
  const onHome = state.tab === 'home';
  $('home').hidden = !onHome;
  $('list').hidden = onHome;
  $('composer-main').hidden = onHome;
  if (onHome) home();
  else drawList($('list'), false);
  if (state.thread && said(state.channel).has(state.thread)) openThread(state.thread);
  else if (state.thread) closeThread();
  hints();
  view();
}

const lists = () => ({
  users: [...state.apps.map((a) => user(a.user)), ...state.users.filter((u) => !u.bot), { name: 'here', title: 'everybody who is here' }, { name: 'channel', title: 'everybody in the channel' }].filter(Boolean),
  channels: visible().filter((c) => !c.user), commands: state.apps.flatMap((a) => a.commands),
});
const mainComposer = composer($('composer-main'), { label: 'Message', lists, send: (t) => say(t), editLast: editLast(false) });
const threadComposer = composer($('composer-thread'), { label: 'Reply', lists, send: (t) => say(t, state.thread), editLast: editLast(true) });

fill($('open-side'), icon('menu', 22));
fill($('close-thread'), icon('close'));
$('close-thread').onclick = () => { closeThread(); mainComposer.focus(); };
$('open-side').onclick = (ev) => { ev.stopPropagation(); $('app').classList.toggle('side-open'); };
$('me').onclick = (ev) => { ev.stopPropagation(); menu($('me-menu').hidden); };
document.querySelector('.main').addEventListener('click', () => $('app').classList.remove('side-open'), true);
document.addEventListener('click', () => menu(false));
document.addEventListener('keydown', (ev) => {
  if (ev.key === 'Escape' && !document.querySelector('dialog[open]')) {
    if (!$('me-menu').hidden) { menu(false); $('me').focus(); } else if (state.thread) closeThread();
  }
  if (!$('me-menu').hidden && (ev.key === 'ArrowDown' || ev.key === 'ArrowUp')) {
    const items = [...$('me-menu').children];
    const i = items.indexOf(document.activeElement);
    items[(i + (ev.key === 'ArrowDown' ? 1 : items.length - 1)) % items.length]?.focus();
    ev.preventDefault();
  }
});
window.addEventListener('error', (ev) => toast(`The page has a fault: ${ev.message}`));
mainComposer.focus();
connect();
