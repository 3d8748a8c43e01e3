// The short codes that bots and people use most; others stay as they were written.
const EMOJI = {
  white_check_mark: '✅', heavy_check_mark: '✔️', x: '❌', warning: '⚠️', rotating_light: '🚨', no_entry: '⛔',
  no_entry_sign: '🚫', octagonal_sign: '🛑', question: '❓', exclamation: '❗', grey_question: '❔', bulb: '💡',
  information_source: 'ℹ️', hourglass: '⌛', hourglass_flowing_sand: '⏳', stopwatch: '⏱️', clock1: '🕐', alarm_clock: '⏰',
  rocket: '🚀', ship: '🚢', ferry: '⛴️', boat: '⛵', sailboat: '⛵', anchor: '⚓', package: '📦', label: '🏷️', bookmark: '🔖',
  tada: '🎉', sparkles: '✨', star: '⭐', fire: '🔥', boom: '💥', zap: '⚡', bug: '🐛', wrench: '🔧', hammer: '🔨', gear: '⚙️',
  eyes: '👀', thumbsup: '👍', '+1': '👍', thumbsdown: '👎', '-1': '👎', wave: '👋', clap: '👏', pray: '🙏', muscle: '💪',
  raised_hands: '🙌', point_right: '👉', point_up: '☝️', ok_hand: '👌', handshake: '🤝', heart: '❤️', smile: '😄', grin: '😁',
  slightly_smiling_face: '🙂', wink: '😉', joy: '😂', thinking_face: '🤔', cry: '😢', sob: '😭', sweat_smile: '😅', scream: '😱',
  lock: '🔒', unlock: '🔓', key: '🔑', snowflake: '❄️', ice_cube: '🧊', arrow_right: '➡️', arrow_left: '⬅️', arrow_up: '⬆️',
  arrow_down: '⬇️', leftwards_arrow_with_hook: '↩️', rewind: '⏪', back: '🔙', repeat: '🔁', arrows_counterclockwise: '🔄',
  large_green_circle: '🟢', green_circle: '🟢', red_circle: '🔴', large_yellow_circle: '🟡', yellow_circle: '🟡',
  large_blue_circle: '🔵', large_orange_circle: '🟠', white_circle: '⚪', black_circle: '⚫', green_heart: '💚',
  link: '🔗', memo: '📝', clipboard: '📋', page_facing_up: '📄', mag: '🔍', chart_with_upwards_trend: '📈', bar_chart: '📊',
  calendar: '📅', bell: '🔔', no_bell: '🔕', mega: '📣', loudspeaker: '📢', speech_balloon: '💬', robot_face: '🤖', ghost: '👻',
  cloud: '☁️', rainbow: '🌈', sunny: '☀️', coffee: '☕', beer: '🍺', pizza: '🍕', house: '🏠', whale: '🐳', helicopter: '🚁',
  construction: '🚧', vertical_traffic_light: '🚦', double_vertical_bar: '⏸️', pause_button: '⏸️', arrow_forward: '▶️', stop_button: '⏹️',
  heavy_minus_sign: '➖', heavy_plus_sign: '➕', heavy_multiplication_x: '✖️', zzz: '💤', shrug: '🤷', skull: '💀', crown: '👑',
};

export const emoji = (name) => EMOJI[name] || '';
