// A colour for each label, as custom properties; the style sheet adds what
// light and dark ask for.  Colour never stands alone: every mark has its label
// in words beside it.

// Hue, chroma and lightness in OKLCH.  Neighbours that a red-green blind eye
// confuses (anger and disgust, joy and disgust) differ in lightness.
const KNOWN = {
  neutral: [80, 0.012, 0.62],
  surprise: [205, 0.1, 0.66],
  fear: [305, 0.15, 0.48],
  sadness: [255, 0.13, 0.55],
  joy: [82, 0.15, 0.76],
  disgust: [135, 0.12, 0.6],
  anger: [27, 0.17, 0.52],
};

/** `{label: {"--hue", "--chroma", "--tone"}}`; other labels share the circle out evenly. */
export function palette(labels) {
  const others = labels.filter((label) => !(label in KNOWN));
  const tints = {};
  for (const label of labels) {
    const i = others.indexOf(label);
    const [hue, chroma, tone] =
      i < 0 ? KNOWN[label] : [(20 + (360 * i) / others.length) % 360, 0.13, [0.5, 0.66, 0.58][i % 3]];
    tints[label] = { "--hue": hue, "--chroma": chroma, "--tone": tone };
  }
  return tints;
}
