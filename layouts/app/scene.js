/**
 * What is shown, as `layouts/scene.py` has it: its data classes as JSON, field by field.
 *
 * @typedef {{red: number, green: number, blue: number, alpha: number}} Color
 * @typedef {{x: number, y: number, width: number, height: number}} Rect
 * @typedef {"left" | "center" | "right"} Horizontal
 * @typedef {"top" | "center" | "bottom"} Vertical
 *
 * @typedef {object} Participant
 * @property {string} session_id
 * @property {string} user_id
 * @property {string} name
 * @property {string[]} roles
 * @property {boolean} has_video
 * @property {boolean} has_audio
 * @property {boolean} is_speaking
 * @property {boolean} is_dominant_speaker
 * @property {boolean} is_pinned
 *
 * @typedef {object} Label
 * @property {string} text
 * @property {Horizontal} horizontal
 * @property {Vertical} vertical
 * @property {Color} text_color
 * @property {Color} background
 * @property {Color | null} border
 * @property {number} border_width
 * @property {number} radius
 * @property {number} font_size
 * @property {boolean} muted
 * @property {number} margin_inline
 * @property {number} margin_block
 *
 * @typedef {{color: Color, width: number, radius: number}} Border
 *
 * @typedef {object} Placeholder
 * @property {string} initials
 * @property {Color} background
 * @property {Color} avatar
 * @property {Color} text_color
 * @property {string | null} image
 *
 * @typedef {object} Tile
 * @property {Rect} rect
 * @property {string} session_id
 * @property {"video" | "screen_share" | null} source
 * @property {"fit" | "fill"} scale_mode
 * @property {Color} background
 * @property {Placeholder} placeholder
 * @property {Label | null} label
 * @property {Border | null} border
 * @property {Participant | null} participant
 * @property {"stage" | "bar" | "grid" | "presenter"} place
 * @property {boolean} mirrored
 *
 * @typedef {{image: string, size: string, position: string, repeat: string}} Backdrop
 *
 * @typedef {object} Logo
 * @property {string} image
 * @property {number | null} width
 * @property {number | null} height
 * @property {Horizontal} horizontal
 * @property {Vertical} vertical
 * @property {number} margin_inline
 * @property {number} margin_block
 *
 * @typedef {object} Title
 * @property {string} text
 * @property {Color} color
 * @property {number} font_size
 * @property {Horizontal} horizontal
 * @property {Vertical} vertical
 * @property {number} margin_inline
 * @property {number} margin_block
 *
 * @typedef {object} Scene
 * @property {number} width
 * @property {number} height
 * @property {Color} background
 * @property {Tile[]} tiles
 * @property {string} layout
 * @property {Backdrop | null} backdrop
 * @property {Logo | null} logo
 * @property {Title | null} title
 * @property {string} timestamp
 */

/** @param {Color} color */
export function css(color) {
  return `rgb(${color.red} ${color.green} ${color.blue} / ${color.alpha / 255})`;
}

/** @param {number} pixels */
export function px(pixels) {
  return `${pixels}px`;
}

/** @type {Record<Horizontal | Vertical, string>} */
export const ALIGNED = { left: "flex-start", top: "flex-start", center: "center", right: "flex-end", bottom: "flex-end" };

/**
 * The smallest rectangle around others.
 *
 * @param {Rect[]} rects
 * @returns {Rect}
 */
export function around(rects) {
  const x = Math.min(...rects.map((r) => r.x));
  const y = Math.min(...rects.map((r) => r.y));
  const right = Math.max(...rects.map((r) => r.x + r.width));
  const bottom = Math.max(...rects.map((r) => r.y + r.height));
  return { x, y, width: right - x, height: bottom - y };
}
