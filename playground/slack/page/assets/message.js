// One message as an element.
import { avatar, h, icon, post } from './dom.js';
import { emoji } from './emoji.js';
import { mrkdwn } from './mrkdwn.js';
import { attachment, blocks } from './blocks.js';

// What the menus and fields of messages hold, by message: it outlives an edit, as in Slack.
const filled = new Map();

export const time = (ts) => new Date(Number(ts) * 1000);
export const clock = (ts) => time(ts).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

// ctx: {user(id), me, inThread, compact, openThread(ts), startEdit(m)}
export function message(m, ctx) {
  const author = ctx.user(m.user);
  const id = `${ctx.me}/${m.channel}/${m.ts}`;
  const state = filled.get(id) || { values: {} };
  filled.set(id, state);
  const act = async (action_id, value) => {
    const a = await post('click', { user: ctx.me, channel: m.channel, ts: m.ts, action_id, value, values: state.values });
    return a.ok && a.acknowledged;
  };
  const el = h('article', {
    class: `msg${ctx.compact ? ' compact' : ''}${m.ephemeral ? ' ephemeral' : ''}`, 'data-ts': m.ts, tabindex: '-1',
    'aria-label': `${author?.name || m.user_name} at ${clock(m.ts)}`,
  },
  h('div', { class: 'gutter' }, ctx.compact ? h('time', { title: time(m.ts).toLocaleString() }, clock(m.ts)) : avatar(author)),
  h('div', { class: 'body' },
    m.ephemeral ? h('div', { class: 'only-you' }, icon('eye', 13), 'Only visible to you') : null,
    ctx.compact ? null : h('div', { class: 'by' },
      h('strong', {}, author?.real_name || author?.name || m.user_name || m.user),
      author?.bot || m.user === 'USLACKBOT' ? h('span', { class: 'app-tag' }, 'APP') : null,
      author?.admin ? h('span', { class: 'role' }, 'admin') : null,
      h('time', { title: time(m.ts).toLocaleString() }, clock(m.ts))),
    m.broadcast && !ctx.inThread ? h('div', { class: 'muted small' }, 'replied to a thread') : null,
    content(m, act, state),
    (m.reactions || []).length ? h('div', { class: 'reactions' }, m.reactions.map((r) => h('span', { class: 'reaction', title: `:${r.name}:` }, emoji(r.name) || `:${r.name}:`, ` ${r.users.length}`))) : null,
    !ctx.inThread && m.reply_count > 0 ? replies(m, ctx) : null),
  tools(m, ctx));
  return el;
}

function content(m, act, state) {
  if (m.deleted) return h('div', { class: 'text muted' }, 'This message was deleted.');
  const edited = m.edited_ts ? h('span', { class: 'edited', title: time(m.edited_ts).toLocaleString() }, ' (edited)') : null;
  const fromApp = Boolean(m.bot_id);
  const hasBlocks = fromApp && m.blocks?.length > 0;
  const shown = hasBlocks ? h('div', { class: 'blocks' }, blocks(m.blocks, act, state)) : null;
  if (shown && edited) (shown.querySelector(':scope > .b-section:last-child .b-text:only-child') || shown).append(edited);
  return [
    hasBlocks ? shown
      : m.text || edited ? h('div', { class: 'text' }, mrkdwn(m.text), edited) : null,
    (m.attachments || []).map((a) => attachment(a, act)),
    (m.files || []).map(file),
  ];
}

function file(f) {
  return h('div', { class: 'file' },
    h('a', { href: f.url, target: '_blank', rel: 'noopener', class: 'file-head' }, icon('file'), h('strong', {}, f.title || f.name), h('span', { class: 'muted' }, ` ${f.size} bytes`)),
    f.preview ? h('pre', {}, f.preview) : null);
}

function replies(m, ctx) {
  const n = m.reply_count;
  return h('button', { type: 'button', class: 'replies', onclick: () => ctx.openThread(m.ts) },
    (m.reply_users || []).slice(0, 3).map((id) => avatar(ctx.user(id), 's')),
    h('strong', {}, n === 1 ? '1 reply' : `${n} replies`),
    h('span', { class: 'muted' }, `Last reply at ${clock(m.latest_reply)}`));
}

function tools(m, ctx) {
  if (m.deleted || m.ephemeral) return null;
  const mine = m.user === ctx.me;
  const buttons = [
    ctx.inThread ? null : h('button', { type: 'button', class: 'icon-button', 'aria-label': 'Reply in thread', title: 'Reply in thread', onclick: () => ctx.openThread(m.ts, true) }, icon('reply', 16)),
    mine ? h('button', { type: 'button', class: 'icon-button', 'aria-label': 'Edit message', title: 'Edit message', onclick: () => ctx.startEdit(m) }, icon('edit', 16)) : null,
  ].filter(Boolean);
  return buttons.length ? h('div', { class: 'tools' }, buttons) : null;
}
