// What is wrong with the page as it looks now: things that stick out or are cut
// off, text and edges that are too faint (WCAG 2.2: 1.4.3, 1.4.11), controls that
// are too small to hit (2.5.8), and inputs without a name.
(() => {
  const problems = [];
  const name = (e) => `${e.localName}${e.id ? "#" + e.id : ""}${e.className ? "." + e.className.split(" ").join(".") : ""} "${(e.innerText ?? "").slice(0, 30)}"`;
  const visible = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getClientRects().length > 0;

  const rgba = (text) => {
    const n = text.match(/[\d.]+/g).map(Number);
    return { r: n[0], g: n[1], b: n[2], a: n[3] ?? 1 };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
  });
  const ground = (e) => {
    if (!e) return rgba(matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(18, 18, 18)" : "rgb(255, 255, 255)");
    const own = rgba(getComputedStyle(e).backgroundColor);
    return own.a === 1 ? own : over(own, ground(e.parentElement));
  };
  const luminance = (c) => {
    const [r, g, b] = [c.r, c.g, c.b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (front, back) => {
    const [light, dark] = [luminance(over(front, back)), luminance(back)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };

  // Words are never broken for want of room; code may be.
  const brokenWords = (e) => e.localName === "code" ? [] : [...e.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).flatMap((n) =>
    [...n.textContent.matchAll(/\p{L}+/gu)].filter((m) => {
      if (m[0].length > 25) return false;
      const range = document.createRange();
      range.setStart(n, m.index);
      range.setEnd(n, m.index + m[0].length);
      return new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1;
    }).map((m) => m[0]));

  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) problems.push(`the page is ${root.scrollWidth} px wide in a window of ${innerWidth}`);
  for (const key of document.body.innerText.match(/\b[a-z_]+(\.[a-z_]+)+\b/g) ?? [])
    if (!key.endsWith("example.com")) problems.push(`${key} looks like the key of a text`);
  let texts = 0;
  for (const e of document.body.querySelectorAll("*")) {
    if (!visible(e)) continue;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    const clipped = style.clipPath !== "none";
    if (!clipped && (box.left < -1 || box.right > innerWidth + 1)) problems.push(`${name(e)} sticks out: ${box.left} to ${box.right}`);
    if (style.overflowX !== "visible" && e.localName !== "input" && e.scrollWidth > e.clientWidth + 1) problems.push(`${name(e)} is cut off`);
    const hasText = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim()) || (e.localName === "input" && e.type !== "hidden");
    if (hasText && !clipped) {
      texts++;
      const c = contrast(rgba(style.color), ground(e));
      if (c < 4.5) problems.push(`${name(e)} has contrast ${c.toFixed(2)}`);
      for (const word of brokenWords(e)) problems.push(`${name(e)} breaks the word ${word}`);
      if (parseFloat(style.fontSize) < 12) problems.push(`${name(e)} has ${style.fontSize} letters`);
    }
    if (e.matches("input:not([type=hidden])")) {
      if (!e.labels.length) problems.push(`${name(e)} has no label`);
      const c = contrast(rgba(style.borderTopColor), ground(e.parentElement));
      if (c < 3) problems.push(`${name(e)} has an edge of contrast ${c.toFixed(2)}`);
    }
    const least = e.type === "checkbox" ? 24 : 40; // its label is a target, too
    if (e.matches("input:not([type=hidden]), button, .button") && box.height < least) problems.push(`${name(e)} is ${box.height} px high`);
  }
  if (!texts) problems.push("the page has no text");
  if (document.querySelectorAll("h1").length !== 1) problems.push("the page has not exactly one h1");
  if (!document.title) problems.push("the page has no title");
  return problems;
})()
