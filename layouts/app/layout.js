import { ALIGNED, around, css, px } from "./scene.js";
import { element, placed, told } from "./elements.js";
import { participantView } from "./participant.js";

/** @import { Logo, Rect, Scene, Tile, Title } from "./scene.js" */

const GRID = "str-video__paginated-grid-layout";
const SPEAKER = "str-video__speaker-layout";
const SINGLE = "eca__dominant-speaker";
const OVERLAY = "eca__logo-and-title-overlay";

/**
 * What is in the root: the tiles in the containers of their layout, and what lies above them.
 *
 * @param {Scene} scene
 * @param {(tile: Tile, view: HTMLElement) => void} onTile told of every tile's element
 * @param {boolean} withVideo
 * @returns {Node[]}
 */
export function sceneElements(scene, onTile, withVideo) {
  /** @param {Tile} tile */
  const view = (tile) => {
    const made = participantView(tile, withVideo);
    onTile(tile, made);
    return made;
  };
  const arrange = { spotlight, "single-participant": single }[scene.layout] ?? grid;
  return [...(scene.tiles.length ? arrange(scene, view) : []), ...above(scene)];
}

/** @typedef {(tile: Tile) => HTMLElement} View */

/**
 * @param {Scene} scene
 * @param {View} view
 */
function grid(scene, view) {
  const wrapper = element("div", [`${GRID}__wrapper`], element("div", [GRID], group(scene.tiles, view)));
  const made = element("div", ["paginated-grid"], wrapper);
  made.dataset.testid = "grid";
  return [made];
}

/**
 * @param {Tile[]} tiles
 * @param {View} view
 */
function group(tiles, view) {
  const count = tiles.length;
  const size = count === 1 ? "one" : count <= 4 ? "two-four" : count <= 9 ? "five-nine" : null;
  const area = around(tiles.map((tile) => tile.rect));
  const made = element(
    "div",
    [`${GRID}__group`, size && `${GRID}--${size}`],
    ...tiles.map((tile) => placed(view(tile), tile.rect, area)),
  );
  made.dataset.groupSize = String(count);
  return placed(made, area);
}

/**
 * @param {Scene} scene
 * @param {View} view
 */
function spotlight(scene, view) {
  const stage = scene.tiles.filter((tile) => tile.place !== "bar");
  const bar = scene.tiles.filter((tile) => tile.place === "bar");
  const parts = stage.map((tile) => placed(element("div", [`${SPEAKER}__spotlight`], view(tile)), tile.rect));
  if (bar.length) parts.push(participantsBar(bar, view));
  const side = bar.length && stage.length ? sideOf(bar[0].rect, stage[0].rect) : null;
  const layout = element("div", [SPEAKER, side && `${SPEAKER}--variant-${side}`], ...parts);
  const made = element("div", ["spotlight"], element("div", [`${SPEAKER}__wrapper`], layout));
  made.dataset.testid = "spotlight";
  return [made];
}

/**
 * @param {Tile[]} tiles
 * @param {View} view
 */
function participantsBar(tiles, view) {
  const area = around(tiles.map((tile) => tile.rect));
  const bar = element(
    "div",
    [`${SPEAKER}__participants-bar`],
    ...tiles.map((tile) => placed(element("div", [`${SPEAKER}__participant-tile`], view(tile)), tile.rect, area)),
  );
  const wrapper = element("div", [`${SPEAKER}__participants-bar-wrapper`], bar);
  return placed(element("div", [`${SPEAKER}__participants-bar-buttons-wrapper`], wrapper), area);
}

/**
 * @param {Rect} bar
 * @param {Rect} stage
 */
function sideOf(bar, stage) {
  if (bar.y >= stage.y + stage.height) return "bottom";
  if (bar.y + bar.height <= stage.y) return "top";
  return bar.x < stage.x ? "left" : "right";
}

/**
 * @param {Scene} scene
 * @param {View} view
 */
function single(scene, view) {
  const [stage, ...others] = scene.tiles;
  const name = stage.source === "screen_share" ? `${SINGLE}-screen-share` : SINGLE;
  const speakers = others.map((tile) =>
    placed(element("div", [`${SINGLE}-screen-share__current-speaker`], view(tile)), tile.rect),
  );
  const made = element("div", [`${name}__container`], placed(view(stage), stage.rect), ...speakers);
  made.dataset.testid = "single-participant";
  return [made];
}

/** @param {Scene} scene */
function above(scene) {
  const overlay = element(
    "div",
    [OVERLAY],
    scene.title && title(scene.title),
    scene.logo && logo(scene.logo),
  );
  overlay.dataset.testid = "logo-and-title-overlay";
  const time = document.createTextNode(scene.timestamp);
  return scene.timestamp ? [overlay, element("div", ["eca__debug-timestamp"], time)] : [overlay];
}

/** @param {Title} what */
function title(what) {
  const made = element("span", [`${OVERLAY}__title`], document.createTextNode(what.text));
  made.dataset.testid = "title";
  made.dir = "auto";
  return told(made, { ...corner(what), color: css(what.color), size: px(what.font_size) });
}

/** @param {Logo} what */
function logo(what) {
  const made = /** @type {HTMLImageElement} */ (element("img", [`${OVERLAY}__logo`]));
  made.dataset.testid = "logo";
  made.alt = "";
  made.addEventListener("error", () => made.remove());
  made.src = what.image;
  const width = what.width === null ? null : px(what.width);
  const height = what.height === null ? null : px(what.height);
  return told(made, { ...corner(what), width, height });
}

/** @param {Logo | Title} what */
function corner(what) {
  return {
    horizontal: ALIGNED[what.horizontal],
    vertical: ALIGNED[what.vertical],
    "margin-inline": px(what.margin_inline),
    "margin-block": px(what.margin_block),
  };
}
