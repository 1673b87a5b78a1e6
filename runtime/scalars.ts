/** Scalar functions that JavaScript lacks. Each stands alone: the compiler embeds those that a program uses. */

/**
 * The error function in f64, to about 1e-15: rational approximations by W. J. Cody, "Rational Chebyshev approximations for the error function",
 * Math. Comp. 23 (1969). Beyond 5.9 it is ±1.
 */
export function erf(x: number): number {
  const y = Math.abs(x);
  if (y <= 0.46875) {
    const s = x * x;
    const top =
      (((0.185777706184603153 * s + 3.1611237438705656) * s + 113.864154151050156) * s + 377.485237685302021) * s +
      3209.37758913846947;
    const bottom =
      (((s + 23.6012909523441209) * s + 244.024637934444173) * s + 1282.61652607737228) * s + 2844.23683343917062;
    return (x * top) / bottom;
  }
  if (y > 5.9) return x > 0 ? 1 : -1;
  if (y <= 4) {
    let top = 2.15311535474403846e-8;
    top = top * y + 0.564188496988670089;
    top = top * y + 8.88314979438837594;
    top = top * y + 66.1191906371416295;
    top = top * y + 298.635138197400131;
    top = top * y + 881.95222124176909;
    top = top * y + 1712.04761263407058;
    top = top * y + 2051.07837782607147;
    top = top * y + 1230.33935479799725;
    let bottom = y + 15.7449261107098347;
    bottom = bottom * y + 117.693950891312499;
    bottom = bottom * y + 537.181101862009858;
    bottom = bottom * y + 1621.38957456669019;
    bottom = bottom * y + 3290.79923573345963;
    bottom = bottom * y + 4362.61909014324716;
    bottom = bottom * y + 3439.36767414372164;
    bottom = bottom * y + 1230.33935480374942;
    const far = (Math.exp(-y * y) * top) / bottom;
    return x > 0 ? 1 - far : far - 1;
  }
  // 1 − erf(4) is 1.5e-8: the first terms of the asymptotic series are enough.
  const far = (Math.exp(-y * y) / (y * 1.7724538509055159)) * (1 - 0.5 / (y * y));
  return x > 0 ? 1 - far : far - 1;
}

/** Integer division toward minus infinity; 0 for a divisor of 0. */
export function floorDivide(a: number, b: number): number {
  return b === 0 ? 0 : Math.floor(a / b) | 0;
}

/** Remainder with the sign of the divisor. */
export function modulo(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}
