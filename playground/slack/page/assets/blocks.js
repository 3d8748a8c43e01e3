// Block Kit as elements. act(actionID, value, element) is what a press does.
import { h, icon, link, safeURL } from './dom.js';
import { inline, markdown, mrkdwn, rich, textObject } from './mrkdwn.js';
import { confirmThen } from './modal.js';
import { control } from './inputs.js';

export function blocks(list, act, state) {
  return (list || []).map((b) => {
    try {
      return block(b, act, state);
    } catch (err) {
      return h('div', { class: 'b-unknown' }, `This block cannot be shown (${b?.type}): ${err.message}`);
    }
  });
}

function block(b, act, state) {
  switch (b.type) {
    case 'section': return section(b, act, state);
    case 'header': return h('h3', { class: 'b-header' }, textObject(b.text));
    case 'divider': return h('hr');
    case 'context': return h('div', { class: 'b-context' }, (b.elements || []).map((e) => (
      e.type === 'image' ? image(e, true) : h('span', {}, textObject(e)))));
    case 'actions':
    case 'context_actions': return h('div', { class: 'b-actions' }, (b.elements || []).map((e) => element(e, act, keeping(b, e, state))));
    case 'image': return h('figure', {}, b.title ? h('figcaption', {}, textObject(b.title)) : null, image(b));
    case 'markdown': return h('div', { class: 'b-markdown' }, markdown(b.text));
    case 'rich_text': return h('div', { class: 'b-rich' }, rich(b.elements));
    case 'table': return table(b.rows, { settings: b.column_settings, act });
    case 'data_table': return dataTable(b, act);
    case 'input': return control(b, state, act);
    case 'plan': return plan(b);
    case 'task_card': return h('ul', { class: 'b-tasks' }, task(b));
    case 'alert': return h('div', { class: `b-alert ${['warning', 'error', 'success'].includes(b.level) ? b.level : ''}` }, textObject(b.text));
    case 'container':
    case 'card':
    case 'carousel': return h('div', { class: 'b-container' },
      ['title', 'subtitle', 'header', 'body', 'text'].map((k) => (b[k]?.text ? h('div', { class: k }, textObject(b[k])) : null)),
      blocks(b.child_blocks || b.blocks || [], act, state),
      (b.elements || []).map((e) => block(e, act, state)),
      b.actions ? h('div', { class: 'b-actions' }, b.actions.map((e) => element(e, act))) : null);
    default: return h('div', { class: 'b-unknown' }, `A ${b.type} block`);
  }
}

// keeping notes what an element of a block holds now, where somebody asks for it.
const keeping = (b, e, state) => (v) => {
  if (state) state.values[b.block_id] = { ...state.values[b.block_id], [e.action_id]: { type: e.type, ...v } };
};

function section(b, act, state) {
  return h('div', { class: 'b-section' },
    h('div', { class: 'b-section-body' },
      b.text ? h('div', { class: 'b-text' }, textObject(b.text)) : null,
      b.fields ? h('div', { class: 'b-fields' }, b.fields.map((f) => h('div', {}, textObject(f)))) : null),
    b.accessory ? h('div', { class: 'b-accessory' }, element(b.accessory, act, keeping(b, b.accessory, state))) : null);
}

// Pictures from elsewhere are not loaded, only named: nothing on this page
// comes from another place.
function image(e, small) {
  const url = e.image_url || '';
  if (url.startsWith('data:image/') || url.startsWith('/')) {
    return h('img', { class: small ? 'b-image small' : 'b-image', src: url, alt: e.alt_text || '' });
  }
  return h('span', { class: 'b-image-link' }, safeURL(url) ? link(url, `🖼 ${e.alt_text || 'picture'}`) : `🖼 ${e.alt_text || 'picture'}`);
}

export function element(e, act, keep = () => {}) {
  switch (e.type) {
    case 'button': return button(e, act);
    case 'image': return image(e);
    case 'static_select':
    case 'overflow': return select(e, act, keep);
    case 'multi_static_select': return several(e, act, keep);
    case 'radio_buttons':
    case 'checkboxes': return h('div', { class: 'b-options' }, (e.options || []).map((o) => h('label', {},
      h('input', {
        type: e.type === 'checkboxes' ? 'checkbox' : 'radio', name: e.action_id,
        onchange: () => act(e.action_id, o.value, e),
      }), h('span', {}, textObject(o.text)))));
    default: return h('span', { class: 'b-unknown' }, `A ${e.type}`);
  }
}

function button(e, act) {
  const press = () => confirmThen(e.confirm, async () => {
    el.setAttribute('aria-busy', 'true');
    if (e.url && safeURL(e.url)) window.open(safeURL(e.url), '_blank', 'noopener');
    const ok = await act(e.action_id, e.value || '', e);
    el.removeAttribute('aria-busy');
    el.classList.toggle('failed', ok === false);
  });
  const style = e.style === 'primary' || e.style === 'danger' ? e.style : '';
  const el = h('button', {
    type: 'button', class: `button ${style}`, 'data-action': e.action_id, 'aria-label': e.accessibility_label, onclick: press,
  }, textObject(e.text));
  return el;
}

// several is a menu of which some are chosen: it tells once it is closed.
function several(e, act, keep) {
  const options = e.options || (e.option_groups || []).flatMap((g) => g.options);
  const boxes = options.map((o) => h('input', { type: 'checkbox', value: o.value, checked: (e.initial_options || []).some((i) => i.value === o.value) }));
  const name = h('summary', { class: 'select' }, e.placeholder?.text || 'Choose');
  const el = h('details', { class: 'several', 'data-action': e.action_id }, name,
    h('div', { class: 'b-options' }, options.map((o, i) => h('label', {}, boxes[i], h('span', {}, textObject(o.text))))),
    h('button', {
      type: 'button', class: 'button small', onclick: () => {
        keep({ selected_options: options.filter((o, i) => boxes[i].checked) });
        el.open = false;
        act(e.action_id, '', e);
      },
    }, 'Apply'));
  return el;
}

function select(e, act, keep) {
  const options = e.options || (e.option_groups || []).flatMap((g) => g.options);
  const shown = (o) => h('option', { value: o.value, selected: e.initial_option?.value === o.value }, o.text.text);
  const el = h('select', {
    class: 'select', 'data-action': e.action_id, 'aria-label': e.placeholder?.text || 'Choose',
    onchange: () => confirmThen(e.confirm, () => {
      keep({ selected_option: options.find((o) => o.value === el.value) });
      return act(e.action_id, el.value, e);
    }),
  },
  h('option', { value: '', disabled: true, selected: !e.initial_option }, e.placeholder?.text || (e.type === 'overflow' ? '⋯' : 'Choose')),
  e.options ? options.map(shown) : (e.option_groups || []).map((g) => h('optgroup', { label: g.label?.text || '' }, g.options.map(shown))));
  return el;
}

function cell(c, act) {
  if (!c) return '';
  if (c.type === 'rich_text') return rich(c.elements);
  if (c.type === 'action_cell') return element(c.element, act);
  if (c.type === 'raw_number') return c.text || String(c.value);
  return c.text || '';
}

function table(rows, { settings = [], act, header = true, rowHeader = -1 }) {
  const align = (i, c) => settings[i]?.align || (c?.type === 'raw_number' ? 'right' : 'left');
  const line = (cells, tag) => h('tr', {}, cells.map((c, i) => h(tag || (i === rowHeader ? 'th' : 'td'), {
    class: `${align(i, c)}${settings[i]?.is_wrapped ? ' wrap' : ''}`, scope: tag ? 'col' : i === rowHeader ? 'row' : undefined,
  }, cell(c, act))));
  return h('div', { class: 'table-wrap', tabindex: '0' }, h('table', {},
    header ? h('thead', {}, line(rows[0] || [], 'th')) : null,
    h('tbody', {}, rows.slice(header ? 1 : 0).map((r) => line(r)))));
}

function dataTable(b, act) {
  const [head, ...rows] = b.rows || [];
  const size = b.page_size || 5;
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const box = h('div', { class: 'b-data-table' });
  const show = (page) => {
    box.replaceChildren(
      h('div', { class: 'caption' }, h('strong', {}, b.caption), h('span', {}, `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}`)),
      table([head || [], ...rows.slice(page * size, (page + 1) * size)], { act, rowHeader: b.row_header_column_index || 0 }));
    if (pages > 1) {
      const move = (to, label) => h('button', { type: 'button', class: 'button small', disabled: to < 0 || to >= pages, onclick: () => show(to) }, label);
      box.append(h('div', { class: 'pager' }, move(page - 1, 'Previous'), h('span', {}, `Page ${page + 1} of ${pages}`), move(page + 1, 'Next')));
    }
  };
  show(0);
  return box;
}

const STATUS = { pending: 'Pending', in_progress: 'In progress', complete: 'Complete', error: 'Failed' };

function plan(b) {
  const tasks = b.tasks || [];
  const done = tasks.filter((t) => t.status === 'complete').length;
  return h('div', { class: 'b-plan' },
    h('div', { class: 'b-plan-title' }, h('strong', {}, inline(b.title || '')), tasks.length ? h('span', {}, `${done}/${tasks.length}`) : null),
    h('ul', { class: 'b-tasks' }, tasks.map(task)));
}

function task(t) {
  const status = STATUS[t.status] ? t.status : 'pending';
  const mark = h('span', { class: `task-mark ${status}`, role: 'img', 'aria-label': STATUS[status] },
    status === 'complete' ? icon('check', 12) : status === 'error' ? icon('cross', 12) : null);
  return h('li', { class: status }, mark, h('div', {},
    h('div', { class: 'task-title' }, t.title || ''),
    t.details ? h('div', { class: 'task-details' }, rich(t.details.elements)) : null,
    t.output ? h('div', { class: 'task-output' }, rich(t.output.elements)) : null,
    (t.sources || []).map((s) => h('div', { class: 'task-details' }, link(s.url, s.text)))));
}

export function attachment(a, act) {
  const el = h('div', { class: 'attachment' },
    a.pretext ? h('div', {}, mrkdwn(a.pretext)) : null,
    a.author_name ? h('div', { class: 'a-author' }, a.author_name) : null,
    a.title ? h('div', { class: 'a-title' }, a.title_link ? link(a.title_link, a.title) : a.title) : null,
    a.text ? h('div', {}, mrkdwn(a.text)) : null,
    a.fields ? h('div', { class: 'b-fields' }, a.fields.map((f) => h('div', {}, h('strong', {}, f.title || ''), h('br'), mrkdwn(String(f.value ?? ''))))) : null,
    blocks(a.blocks, act),
    a.footer ? h('div', { class: 'b-context' }, a.footer) : null);
  const named = { good: '#2eb67d', warning: '#ecb22e', danger: '#e01e5a' };
  const color = named[a.color] || (/^#?[0-9a-f]{6}$/i.test(a.color || '') ? `#${a.color.replace('#', '')}` : '');
  if (color) el.style.borderLeftColor = color;
  return el;
}
