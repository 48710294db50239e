import { css } from "./scene.js";
import { told } from "./elements.js";
import { sceneElements } from "./layout.js";
import { slots } from "./slots.js";

/** @import { Scene } from "./scene.js" */

/**
 * What is in the slots of the videos: nothing, so that what lies behind them is seen; one colour, by which can be told
 * how much of a video shines through where; or, in the place of videos, what stands for those who have none.
 *
 * @typedef {"nothing" | "black" | "white" | "placeholders"} Filling
 */

/** @type {Scene | null} */
let shown = null;
/** @type {Map<number, HTMLElement>} */
let views = new Map();
let videosShown = true;

/**
 * Show a scene.
 *
 * @param {Scene} scene
 */
function showScene(scene) {
  shown = scene;
  render(scene, true);
}

/**
 * @param {Scene} scene
 * @param {boolean} withVideo
 */
function render(scene, withVideo) {
  videosShown = withVideo;
  const root = /** @type {HTMLElement} */ (document.getElementById("root"));
  const backdrop = scene.backdrop;
  root.removeAttribute("style");
  told(root, {
    "layout-background": css(scene.background),
    "layout-background-image": backdrop && `url(${JSON.stringify(backdrop.image)})`,
    "layout-background-size": backdrop && backdrop.size,
    "layout-background-position": backdrop && backdrop.position,
    "layout-background-repeat": backdrop && backdrop.repeat,
  });
  views = new Map();
  const number = new Map(scene.tiles.map((tile, index) => [tile, index]));
  const children = sceneElements(
    scene,
    (tile, view) => views.set(/** @type {number} */ (number.get(tile)), view),
    withVideo,
  );
  root.replaceChildren(...children);
}

/**
 * Fill the slots; says where they are.
 *
 * @param {Filling} filling
 * @param {number | null} only the tile whose slot alone is filled so; the others are black
 */
function fill(filling, only = null) {
  if (shown === null) return [];
  const withVideo = filling !== "placeholders";
  if (withVideo !== videosShown) render(shown, withVideo);
  for (const [tile, view] of views) {
    const video = view.querySelector("video");
    if (video === null) continue;
    if (filling === "nothing") {
      video.style.removeProperty("background");
    } else {
      const color = only === null || only === tile ? filling : "black";
      video.style.setProperty("background", `${color} content-box`, "important");
      video.style.setProperty("transition", "none", "important");
    }
  }
  hold();
  return slots(views);
}

/** What moves is shown as it ends, or, where it never does, as it begins: a still of it must be the same every time. */
function hold() {
  for (const animation of document.getAnimations()) {
    if (animation.effect?.getComputedTiming().endTime === Infinity) animation.cancel();
    else animation.finish();
  }
}

/** Wait until the fonts and pictures that the scene needs are there, and everything is laid out. */
async function settled() {
  const images = [...document.images].map((image) => image.decode().catch(() => undefined));
  await Promise.all([document.fonts.ready, ...images]);
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}

/**
 * Put a style sheet over ours, in the place of the one before. Returns whether it could be loaded.
 *
 * @param {string} address
 * @returns {Promise<boolean>}
 */
async function useStyleSheet(address) {
  document.getElementById("external-css")?.remove();
  const link = document.createElement("link");
  link.id = "external-css";
  link.rel = "stylesheet";
  const loaded = new Promise((resolve) => {
    link.addEventListener("load", () => resolve(true));
    link.addEventListener("error", () => resolve(false));
  });
  link.href = address;
  document.head.append(link);
  return loaded;
}

Object.assign(window, { showScene, fill, settled, useStyleSheet });
