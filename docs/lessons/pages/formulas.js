// Losses of two classes as formulas. Pixels come in groups: n of them, whose truth is g (1: object) and whose probability
// of being object is p; `weight` is that of the class of the object. Each function returns the loss, and for each group
// the slope of the loss by the p of one of its pixels.

const SMOOTH = 1e-5; // the default of classicseg.torch.losses
const sum = (values) => values.reduce((total, value) => total + value, 0);

// The probability that a group gives to its right label.
export const rightly = ({ g, p }) => (g ? p : 1 - p);

// What one pixel costs by focal loss; gamma = 0 is cross-entropy.
export const cost = (r, gamma) => -Math.log(r) * (1 - r) ** gamma;

// Focal loss and cross-entropy, mean over pixels.
export function pixelwise(groups, gamma, weight) {
  const weightOf = ({ g }) => (g ? weight : 1);
  const total = sum(groups.map((group) => group.n * weightOf(group)));
  const loss = sum(groups.map((group) => group.n * weightOf(group) * cost(rightly(group), gamma))) / total;
  const slopes = groups.map((group) => {
    const r = rightly(group);
    const muted = gamma > 0 ? gamma * (1 - r) ** (gamma - 1) * Math.log(r) : 0;
    return ((group.g ? 1 : -1) * (weightOf(group) / total)) * (muted - (1 - r) ** gamma / r);
  });
  return { loss, slopes };
}

// Tversky loss, mean over the two classes: false alarms cost alpha, misses 1 - alpha. Dice is alpha = 1/2.
export function overlap(groups, alpha, weight) {
  const classes = [0, 1].map((c) => {
    const found = groups.map(({ p }) => (c ? p : 1 - p));
    const truth = groups.map(({ g }) => Number(g === c));
    const hits = sum(groups.map(({ n }, i) => n * found[i] * truth[i]));
    const alarms = sum(groups.map(({ n }, i) => n * found[i] * (1 - truth[i])));
    const misses = sum(groups.map(({ n }, i) => n * (1 - found[i]) * truth[i]));
    const above = hits + SMOOTH;
    const below = hits + alpha * alarms + (1 - alpha) * misses + SMOOTH;
    const slopes = truth.map((t) => ((c ? -1 : 1) * (t * below - alpha * above)) / below ** 2);
    return { loss: 1 - above / below, slopes, share: (c ? weight : 1) / (1 + weight) };
  });
  return {
    loss: sum(classes.map(({ loss, share }) => share * loss)),
    slopes: groups.map((_, i) => sum(classes.map(({ slopes, share }) => share * slopes[i]))),
    parts: classes.map(({ loss }) => loss),
  };
}
