// Elements are made here and nowhere else. Children that are strings become
// text nodes: nothing that anybody said is ever parsed as HTML.

const SVG = 'http://www.w3.org/2000/svg';

const ICONS = {
  menu: 'M4 6h16M4 12h16M4 18h16',
  close: 'M6 6l12 12M18 6L6 18',
  send: 'M4 12l16-8-6 16-3-7z',
  reply: 'M20 11.5a7.5 7.5 0 0 1-11 6.6L4 20l1.6-4.4A7.5 7.5 0 1 1 20 11.5z',
  edit: 'M4 20l1-4L16 5l3 3L8 19z',
  eye: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zm10 3a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
  lock: 'M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  cross: 'M7 7l10 10M17 7L7 17',
  up: 'M6 15l6-6 6 6',
};

export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') el.className = value;
    else if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else if (name === 'value') el.value = value;
    else if (value === true) el.setAttribute(name, '');
    else el.setAttribute(name, String(value));
  }
  put(el, children);
  return el;
}

export function put(el, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false || child === '') continue;
    el.append(child);
  }
  return el;
}

export const $ = (id) => document.getElementById(id);

export function fill(el, ...children) {
  el.replaceChildren();
  return put(el, children);
}

export function icon(name, size = 18) {
  const svg = document.createElementNS(SVG, 'svg');
  for (const [k, v] of Object.entries({
    viewBox: '0 0 24 24', width: size, height: size, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8,
    'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true',
  })) svg.setAttribute(k, v);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name] || '');
  svg.append(path);
  return svg;
}

// A link is followed only if it is one of these; anything else is text.
export function safeURL(url) {
  try {
    const u = new URL(url);
    return ['http:', 'https:', 'mailto:', 'slack:'].includes(u.protocol) ? u.href : '';
  } catch {
    return '';
  }
}

export function link(url, label) {
  const href = safeURL(url);
  if (!href) return h('span', {}, label || url);
  return h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, label || url);
}

const COLORS = ['#b45309', '#1d4ed8', '#7c3aed', '#be185d', '#15803d', '#0e7490', '#a16207', '#b91c1c'];

export function avatar(user, size = 'm') {
  if (user?.bot) {
    return h('img', { class: `avatar ${size}`, src: '/assets/icon.svg', alt: '' });
  }
  const name = user?.real_name || user?.name || '?';
  const letters = name.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((w) => w[0].toUpperCase()).join('');
  const el = h('span', { class: `avatar ${size}`, 'aria-hidden': 'true' }, letters || '?');
  let sum = 0;
  for (const c of user?.id || name) sum = (sum * 31 + c.codePointAt(0)) >>> 0;
  el.style.backgroundColor = COLORS[sum % COLORS.length];
  return el;
}

export function toast(text) {
  const el = h('div', { class: 'toast' }, text);
  $('toasts').append(el);
  setTimeout(() => el.remove(), 6000);
}

export async function post(path, body) {
  let answer;
  try {
    const r = await fetch(`/playground/${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    answer = await r.json();
  } catch (err) {
    answer = { ok: false, message: `The playground does not answer (${err.message}).` };
  }
  if (!answer.ok) toast(answer.message || answer.error);
  return answer;
}
