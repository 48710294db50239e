import { px } from "./scene.js";

/** @import { Rect } from "./scene.js" */

/**
 * An element with classes (those that are falsy are left out) and children (null is none).
 *
 * @param {string} tag
 * @param {(string | false | null | undefined)[]} classes
 * @param {(Node | null)[]} children
 */
export function element(tag, classes, ...children) {
  const made = document.createElement(tag);
  made.className = classes.filter(Boolean).join(" ");
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * @param {HTMLElement} at
 * @param {Record<string, string | null>} properties custom properties without their dashes; null is not set
 */
export function told(at, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value !== null) at.style.setProperty(`--${name}`, value);
  }
  return at;
}

/**
 * Say where an element lies on the canvas, when its container lies at `origin`.
 *
 * @param {HTMLElement} at
 * @param {Rect} rect
 * @param {Rect | null} origin
 */
export function placed(at, rect, origin = null) {
  return told(at, {
    "place-x": px(rect.x - (origin?.x ?? 0)),
    "place-y": px(rect.y - (origin?.y ?? 0)),
    "place-width": px(rect.width),
    "place-height": px(rect.height),
  });
}
