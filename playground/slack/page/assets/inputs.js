// The inputs of modals and messages. Each control keeps its value in state.values in the
// shape of view.state.values.
import { h } from './dom.js';
import { textObject } from './mrkdwn.js';

// act, if the block dispatches, is told at Enter.
export function control(b, state, act) {
  const e = b.element || {};
  const id = `in-${b.block_id}`;
  const keep = (v) => {
    if (!state) return;
    state.values[b.block_id] = { [e.action_id || 'action']: { type: e.type, ...v } };
  };
  const kept = state?.values[b.block_id]?.[e.action_id]?.value;
  const told = act && b.dispatch_action && (e.dispatch_action_config?.trigger_actions_on || ['on_enter_pressed']).includes('on_enter_pressed');
  const box = h('div', { class: 'b-input', 'data-block': b.block_id },
    h('label', { for: id }, textObject(b.label), b.optional ? h('span', { class: 'muted' }, ' (optional)') : null),
    field(kept ? { ...e, initial_value: kept } : e, id, keep, !b.optional, state),
    b.hint ? h('div', { class: 'hint' }, textObject(b.hint)) : null,
    h('div', { class: 'error', role: 'alert' }));
  if (told) {
    box.addEventListener('keydown', (ev) => {
      if (ev.key !== 'Enter' || ev.target.tagName !== 'INPUT') return;
      ev.preventDefault();
      act(e.action_id, ev.target.value, e);
    });
  }
  return box;
}

function field(e, id, keep, required, state) {
  const common = { id, required, class: 'field', 'data-action': e.action_id, 'aria-describedby': `${id}-e` };
  switch (e.type) {
    case 'static_select':
    case 'external_select': return selectField(e, common, keep);
    case 'users_select':
    case 'conversations_select':
    case 'channels_select': return pick(e, common, keep, state);
    case 'radio_buttons':
    case 'checkboxes': return choices(e, id, keep);
    case 'datepicker': return plain(h('input', { ...common, type: 'date', value: e.initial_date || '' }), (v) => keep({ selected_date: v || null }));
    case 'timepicker': return plain(h('input', { ...common, type: 'time', value: e.initial_time || '' }), (v) => keep({ selected_time: v || null }));
    default: {
      const props = { ...common, placeholder: e.placeholder?.text, minlength: e.min_length, maxlength: e.max_length, value: e.initial_value || '' };
      const el = e.multiline ? h('textarea', { ...props, rows: 3 }) : h('input', { ...props, type: e.type === 'number_input' ? 'number' : 'text' });
      return plain(el, (v) => keep({ value: v === '' ? null : v }));
    }
  }
}

function plain(el, keep) {
  keep(el.value);
  el.addEventListener('input', () => keep(el.value));
  return el;
}

function selectField(e, common, keep) {
  const options = e.options || (e.option_groups || []).flatMap((g) => g.options);
  const el = h('select', common,
    h('option', { value: '' }, e.placeholder?.text || 'Choose'),
    options.map((o) => h('option', { value: o.value, selected: e.initial_option?.value === o.value }, o.text.text)));
  return plain(el, (v) => keep({ selected_option: options.find((o) => o.value === v) || null }));
}

function pick(e, common, keep, state) {
  const users = e.type === 'users_select';
  const list = users ? state?.users || [] : state?.channels || [];
  const initial = e.initial_user || e.initial_channel || e.initial_conversation;
  const el = h('select', common, h('option', { value: '' }, e.placeholder?.text || 'Choose'),
    list.map((o) => h('option', { value: o.id, selected: o.id === initial }, (users ? '@' : '#') + o.name)));
  const key = users ? 'selected_user' : e.type === 'channels_select' ? 'selected_channel' : 'selected_conversation';
  return plain(el, (v) => keep({ [key]: v || null }));
}

function choices(e, id, keep) {
  const many = e.type === 'checkboxes';
  const initial = many ? (e.initial_options || []).map((o) => o.value) : [e.initial_option?.value];
  const kept = state?.values[b.block_id]?.[e.action_id]?.value;
  const told = act && b.dispatch_action && (e.dispatch_action_config?.trigger_actions_on || ['on_enter_pressed']).includes('on_enter_pressed');
  const box = h('div', { class: 'b-options', id, role: many ? 'group' : 'radiogroup' });
  const read = () => {
    const on = [...box.querySelectorAll('input:checked')].map((i) => e.options[Number(i.value)]);
    keep(many ? { selected_options: on } : { selected_option: on[0] || null });
  };
  (e.options || []).forEach((o, i) => box.append(h('label', {},
    h('input', { type: many ? 'checkbox' : 'radio', name: id, value: i, checked: initial.includes(o.value), onchange: read }),
    h('span', {}, textObject(o.text), o.description ? h('small', {}, textObject(o.description)) : null))));
  read();
  return box;
}
