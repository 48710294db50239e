import { ALIGNED, css, px } from "./scene.js";
import { element, told } from "./elements.js";

/** @import { Label, Placeholder, Tile } from "./scene.js" */

const VIEW = "str-video__participant-view";
const DETAILS = "str-video__participant-details";
const NAME = `${DETAILS}__name`;
const PLACEHOLDER = "str-video__video-placeholder";

/**
 * One tile: the slot of a video, or what stands in its place, and the name.
 *
 * @param {Tile} tile
 * @param {boolean} withVideo whether its video can be seen, where it has one
 */
export function participantView(tile, withVideo) {
  const who = tile.participant;
  const showsVideo = tile.source !== null && withVideo;
  const speaking = who?.is_speaking ?? false;
  const view = element(
    "div",
    [
      VIEW,
      who?.is_dominant_speaker && `${VIEW}--dominant-speaker`,
      speaking && `${VIEW}--speaking`,
      who?.is_pinned && `${VIEW}--pinned`,
      tile.source === "screen_share" && `${VIEW}--screen-share`,
      !showsVideo && `${VIEW}--no-video`,
      !(who?.has_audio ?? !tile.label?.muted) && `${VIEW}--no-audio`,
    ],
    showsVideo ? video(tile) : placeholder(tile),
    tile.label && details(tile, tile.label),
  );
  view.dataset.testid = "participant-view";
  view.dataset.sessionId = tile.session_id;
  if (who) {
    view.dataset.userId = who.user_id;
    view.dataset.roles = who.roles.join(" ");
  }
  return told(view, {
    "tile-background": css(tile.background),
    "tile-radius": tile.border && px(tile.border.radius),
    "tile-outline-width": tile.border && px(tile.border.width),
    "tile-outline-color": tile.border && css(tile.border.color),
    "label-horizontal": tile.label && ALIGNED[tile.label.horizontal],
  });
}

/** @param {Tile} tile */
function video(tile) {
  const slot = element("video", [
    "str-video__video",
    tile.source === "screen_share" && "str-video__video--screen-share",
    tile.mirrored && "str-video__video--mirror",
  ]);
  slot.dataset.sessionId = tile.session_id;
  if (tile.participant) slot.dataset.userId = tile.participant.user_id;
  return told(slot, { "video-fit": tile.scale_mode === "fill" ? "cover" : "contain" });
}

/** @param {Tile} tile */
function placeholder(tile) {
  const look = tile.placeholder;
  const made = element("div", [PLACEHOLDER], look.image ? avatar(look, look.image) : initials(look));
  return told(made, {
    "placeholder-background": css(look.background),
    "placeholder-avatar": css(look.avatar),
    "placeholder-color": css(look.text_color),
    "placeholder-radius": px(Math.min(tile.rect.width, tile.rect.height) * 0.23),
  });
}

/**
 * @param {Placeholder} look
 * @param {string} address
 */
function avatar(look, address) {
  const image = /** @type {HTMLImageElement} */ (element("img", [`${PLACEHOLDER}__avatar`]));
  image.alt = look.initials;
  image.addEventListener("error", () => image.replaceWith(initials(look)));
  image.src = address;
  return image;
}

/** @param {Placeholder} look */
function initials(look) {
  return element("div", [`${PLACEHOLDER}__initials-fallback`], document.createTextNode(look.initials));
}

/**
 * @param {Tile} tile
 * @param {Label} label
 */
function details(tile, label) {
  const who = tile.participant;
  const text = element("span", [`${DETAILS}__text`], document.createTextNode(label.text));
  text.dir = "auto";
  const name = element(
    "span",
    [NAME],
    text,
    label.muted ? element("span", [`${NAME}--audio-muted`]) : null,
    who && !who.has_video ? element("span", [`${NAME}--video-muted`]) : null,
    who?.is_pinned ? element("span", [`${NAME}--pinned`]) : null,
    speechIndicator(tile),
  );
  const gap = Math.max(2, label.font_size * 0.45, (tile.border?.radius ?? 0) * 0.3);
  return told(element("div", [DETAILS], name), {
    "label-vertical": ALIGNED[label.vertical],
    "label-inline": px(gap + label.margin_inline),
    "label-block": px(gap + label.margin_block),
    "label-size": px(label.font_size),
    "label-color": css(label.text_color),
    "label-background": css(label.background),
    "label-border-width": px(label.border ? label.border_width : 0),
    "label-border-color": label.border && css(label.border),
    "label-radius": px(label.radius),
  });
}

/** Not seen unless a style sheet gives its bars a size.
 *
 * @param {Tile} tile
 */
function speechIndicator(tile) {
  const name = "str-video__speech-indicator";
  const bars = [1, 2, 3].map(() => element("span", [`${name}__bar`]));
  const who = tile.participant;
  return element(
    "span",
    [name, who?.is_speaking && `${name}--speaking`, who?.is_dominant_speaker && `${name}--dominant`],
    ...bars,
  );
}
