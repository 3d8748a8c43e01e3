// Slack's mrkdwn, Markdown and rich text, as elements.
import { h, link } from './dom.js';
import { emoji } from './emoji.js';

export const unescape = (t) => t.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

// names is set once by the page: how to call users, channels and groups.
let names = { user: () => '', channel: () => '', group: () => '', me: () => '' };
export const setNames = (n) => { names = n; };

export function mention(id, label) {
  const mine = id === names.me();
  return h('span', { class: mine ? 'mention mine' : 'mention' }, `@${names.user(id) || label || id}`);
}

const broadcast = (range) => h('span', { class: 'mention mine' }, `@${range}`);

function token(body) {
  const bar = body.indexOf('|');
  const ref = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? '' : unescape(body.slice(bar + 1));
  if (ref.startsWith('@')) return mention(ref.slice(1), label);
  if (ref.startsWith('#')) return h('span', { class: 'mention' }, `#${names.channel(ref.slice(1)) || label || ref.slice(1)}`);
  if (ref.startsWith('!subteam^')) return h('span', { class: 'mention' }, `@${names.group(ref.slice(9)) || label || ref.slice(9)}`);
  if (ref.startsWith('!date^')) return h('span', {}, date(ref, label));
  if (ref.startsWith('!')) return broadcast(ref.slice(1));
  return link(unescape(ref), label || unescape(ref).replace(/^mailto:/, ''));
}

function date(ref, label) {
  const [, secs, format = '{date_short_pretty} {time}'] = ref.split('^');
  const d = new Date(Number(secs) * 1000);
  if (Number.isNaN(d.getTime())) return label;
  return unescape(format)
    .replace(/\{date[a-z_]*\}/g, d.toLocaleDateString([], { month: 'short', day: 'numeric', year: 'numeric' }))
    .replace(/\{time_secs\}/g, d.toLocaleTimeString())
    .replace(/\{time\}/g, d.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }))
    .replace(/\{ago\}/g, label);
}

const INLINE = /`([^`\n]+)`|<([^<>\n]+)>|\*([^*\n]+)\*|_([^_\n]+)_|~([^~\n]+)~|:([a-z0-9_+'-]+):|\n/g;
const MARKDOWN = /`([^`\n]+)`|\[([^\]\n]+)\]\(([^)\s]+)\)|\*\*([^*\n]+)\*\*|__([^_\n]+)__|\*([^*\n]+)\*|_([^_\n]+)_|~~([^~\n]+)~~|:([a-z0-9_+'-]+):|\n/g;
const wordy = (c) => c !== undefined && /[\p{L}\p{N}]/u.test(c);

function walk(text, pattern, make, leaf) {
  const out = [];
  let last = 0;
  const re = new RegExp(pattern.source, pattern.flags);
  for (let m; (m = re.exec(text));) {
    const made = make(m, text[m.index - 1], text[m.index + m[0].length]);
    if (made === null) {
      re.lastIndex = m.index + 1;
      continue;
    }
    if (m.index > last) out.push(leaf(text.slice(last, m.index)));
    out.push(made);
    last = m.index + m[0].length;
  }
  if (last < text.length) out.push(leaf(text.slice(last)));
  return out;
}

export function inline(text) {
  return walk(text, INLINE, (m, before, after) => {
    if (m[0] === '\n') return h('br');
    if (m[1] !== undefined) return h('code', {}, unescape(m[1]));
    if (m[2] !== undefined) return token(m[2]);
    if (m[6] !== undefined) return emoji(m[6]) ? h('span', { class: 'emoji', title: m[0] }, emoji(m[6])) : null;
    const body = m[3] ?? m[4] ?? m[5];
    if (wordy(before) || wordy(after) || /^\s|\s$/.test(body)) return null;
    return h(m[3] !== undefined ? 'strong' : m[4] !== undefined ? 'em' : 's', {}, inline(body));
  }, unescape);
}

// blocks of mrkdwn: ``` fences and > quotes, the rest inline.
export function mrkdwn(text) {
  const out = [];
  (text || '').split('```').forEach((part, i) => {
    if (i % 2) {
      out.push(pre(unescape(part).replace(/^\n|\n$/g, '')));
      return;
    }
    const body = i ? part.replace(/^\n/, '') : part;
    for (const chunk of body.split(/((?:^|(?<=\n))&gt; ?[^\n]*(?:\n&gt; ?[^\n]*)*\n?)/)) {
      if (/^&gt;/.test(chunk)) out.push(h('blockquote', {}, inline(chunk.replace(/^&gt; ?/gm, '').replace(/\n$/, ''))));
      else if (chunk) out.push(...inline(chunk.replace(/\n$/, (nl) => (i % 2 === 0 ? '' : nl))));
    }
  });
  return out;
}

export function pre(text, language = '') {
  if (language !== 'diff') return h('pre', {}, text);
  return h('pre', { class: 'diff' }, text.split('\n').map((line) => h('span', {
    class: line.startsWith('@@') ? 'hunk' : /^\+(?!\+\+)/.test(line) ? 'add' : /^-(?!--)/.test(line) ? 'del' : '',
  }, `${line}\n`)));
}

export function textObject(t) {
  if (!t) return [];
  if (t.type === 'mrkdwn') return mrkdwn(t.text);
  return walk(t.text || '', /:([a-z0-9_+'-]+):/g, (m) => (emoji(m[1]) ? h('span', { class: 'emoji', title: m[0] }, emoji(m[1])) : null), unescape);
}

function mdInline(text) {
  return walk(text, MARKDOWN, (m, before, after) => {
    if (m[0] === '\n') return h('br');
    if (m[1] !== undefined) return h('code', {}, m[1]);
    if (m[2] !== undefined) return link(m[3], m[2]);
    if (m[9] !== undefined) return emoji(m[9]) ? h('span', { class: 'emoji' }, emoji(m[9])) : null;
    const body = m[4] ?? m[5] ?? m[6] ?? m[7] ?? m[8];
    if (m[7] !== undefined && (wordy(before) || wordy(after))) return null;
    return h(m[4] ?? m[5] ? 'strong' : m[8] ? 's' : 'em', {}, mdInline(body));
  }, unescape);
}

// markdown renders what a markdown block may hold; unknown markup stays text.
export function markdown(text) {
  const out = [];
  const lines = (text || '').split('\n');
  const take = (re) => {
    const got = [];
    while (lines.length && re.test(lines[0])) got.push(lines.shift());
    return got;
  };
  while (lines.length) {
    const fence = lines[0].match(/^```(\w*)/);
    const heading = lines[0].match(/^(#{1,6}) (.*)/);
    if (fence) {
      lines.shift();
      const body = take(/^(?!```)/);
      lines.shift();
      out.push(pre(body.join('\n'), fence[1]));
    } else if (heading) {
      lines.shift();
      out.push(h(heading[1].length < 3 ? 'h3' : 'h4', {}, mdInline(heading[2])));
    } else if (/^\s*[-*] /.test(lines[0])) {
      out.push(h('ul', {}, take(/^\s*[-*] /).map((l) => h('li', {}, mdInline(l.replace(/^\s*[-*] /, ''))))));
    } else if (/^\s*\d+\. /.test(lines[0])) {
      out.push(h('ol', {}, take(/^\s*\d+\. /).map((l) => h('li', {}, mdInline(l.replace(/^\s*\d+\. /, ''))))));
    } else if (/^>/.test(lines[0])) {
      out.push(h('blockquote', {}, mdInline(take(/^>/).map((l) => l.replace(/^> ?/, '')).join('\n'))));
    } else if (/^\|.*\|\s*$/.test(lines[0])) {
      out.push(mdTable(take(/^\|/)));
    } else if (!lines[0].trim()) {
      lines.shift();
    } else {
      out.push(h('p', {}, mdInline(take(/^(?!```|#{1,6} |\s*[-*] |\s*\d+\. |>|\|)\S/).join('\n') || lines.shift())));
    }
  }
  return out;
}

function mdTable(lines) {
  const rows = lines.filter((l) => !/^[|\s:-]+$/.test(l)).map((l) => l.trim().slice(1, -1).split('|'));
  return h('div', { class: 'table-wrap' }, h('table', {}, rows.map((cells, i) => h('tr', {}, cells.map((c) => h(i ? 'td' : 'th', {}, mdInline(c.trim())))))));
}

function richElement(e) {
  const s = e.style || {};
  let el;
  switch (e.type) {
    case 'text': el = h('span', {}, e.text); break;
    case 'link': el = link(e.url, e.text); break;
    case 'user': el = mention(e.user_id); break;
    case 'channel': el = h('span', { class: 'mention' }, `#${names.channel(e.channel_id) || e.channel_id}`); break;
    case 'usergroup': el = h('span', { class: 'mention' }, `@${names.group(e.usergroup_id) || e.usergroup_id}`); break;
    case 'broadcast': el = broadcast(e.range); break;
    case 'emoji': el = h('span', { class: 'emoji' }, emoji(e.name) || `:${e.name}:`); break;
    case 'date': el = h('span', {}, date(`!date^${e.timestamp}^${e.format}`, e.fallback || '')); break;
    case 'color': el = h('code', {}, e.value); break;
    default: el = h('span', {}, e.text || '');
  }
  for (const [on, tag] of [[s.code, 'code'], [s.bold, 'strong'], [s.italic, 'em'], [s.strike, 's']]) {
    if (on) el = h(tag, {}, el);
  }
  return el;
}

export function rich(elements) {
  return (elements || []).map((e) => {
    switch (e.type) {
      case 'rich_text_list':
        return h(e.style === 'ordered' ? 'ol' : 'ul', { class: `indent-${Math.min(e.indent || 0, 4)}` },
          (e.elements || []).map((item) => h('li', {}, (item.elements || []).map(richElement))));
      case 'rich_text_preformatted': return h('pre', {}, (e.elements || []).map(richElement));
      case 'rich_text_quote': return h('blockquote', {}, (e.elements || []).map(richElement));
      default: return h('div', { class: 'rich' }, (e.elements || []).map(richElement));
    }
  });
}
