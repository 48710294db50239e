/** @import { Rect } from "./scene.js" */

/**
 * Where a tile's video lies, as the style sheets have it.
 *
 * @typedef {object} Slot
 * @property {number} tile which tile of the scene
 * @property {Rect} rect the video's content box, in pixels of the canvas, not rounded
 * @property {string} fit object-fit, as computed
 */

/**
 * The slots that can be seen, the lowest first.
 *
 * @param {Map<number, HTMLElement>} views
 * @returns {Slot[]}
 */
export function slots(views) {
  /** @type {{slot: Slot, video: Element}[]} */
  const found = [];
  for (const [tile, view] of views) {
    const video = view.querySelector("video");
    if (!video?.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const slot = { tile, rect: contentBox(video), fit: getComputedStyle(video).objectFit };
    if (slot.rect.width <= 0 || slot.rect.height <= 0) continue;
    // Those that it lies under are above it; of those, it goes below the lowest.
    const lowest = found.findIndex((other) => liesOver(other.video, video, overlap(other.slot.rect, slot.rect)));
    found.splice(lowest < 0 ? found.length : lowest, 0, { slot, video });
  }
  return found.map(({ slot }) => slot);
}

/** @param {Element} video */
function contentBox(video) {
  const box = video.getBoundingClientRect();
  const style = getComputedStyle(video);
  /** @param {string} side */
  const inset = (side) =>
    parseFloat(style.getPropertyValue(`padding-${side}`)) + parseFloat(style.getPropertyValue(`border-${side}-width`));
  return {
    x: box.x + inset("left"),
    y: box.y + inset("top"),
    width: box.width - inset("left") - inset("right"),
    height: box.height - inset("top") - inset("bottom"),
  };
}

/**
 * @param {Rect} a
 * @param {Rect} b
 * @returns {Rect | null}
 */
function overlap(a, b) {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : null;
}

/**
 * @param {Element} a
 * @param {Element} b
 * @param {Rect | null} shared
 */
function liesOver(a, b, shared) {
  if (shared === null) return false;
  const there = document.elementsFromPoint(shared.x + shared.width / 2, shared.y + shared.height / 2);
  const [first, second] = [there.indexOf(a), there.indexOf(b)];
  return first >= 0 && second >= 0 && first < second;
}
