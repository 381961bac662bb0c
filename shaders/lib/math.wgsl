// Elementary functions in f32, accurate to a few units in the last place on every adapter.
//
// WGSL's own exp, log and tanh promise too little (an absolute error near log 1, an error that grows with the argument
// of exp), and some drivers break even that. The polynomials are least-maximum fits to the Taylor remainders, grouped
// so that few steps wait for each other; no step cancels, so nothing depends on the compiler keeping the order of
// operations.

const LN2_HIGH: f32 = 0.693359375; // 355/512: products with an exponent are exact
const LN2_LOW: f32 = -2.12194440e-4;
const LOG2_E: f32 = 1.44269504;
const LN2: f32 = 0.693147181;

// Bit tests: compilers may assume that a comparison sees no NaN.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// A NaN made from the bits of a value. WGSL refuses a constant NaN, so it takes a value known at run time only.
fn nan_from(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u);
}

// Whether there is nothing to divide by: 0, or less than the smallest normal number, which adapters may take for 0 and
// whose inverse is hardly a float. Told by bits, so that NaN is no nothing.
fn is_negligible(divisor: f32) -> bool {
    return (bitcast<u32>(divisor) & 0x7f800000u) == 0u;
}

// Whether the sum of what counts, whose parts may have either sign, is no divisor: nothing, or below 0.
fn is_no_divisor(sum: f32) -> bool {
    let bits = bitcast<u32>(sum);
    return is_negligible(sum) || (bits >= 0x80000000u && bits <= 0xff800000u);
}

fn sum(values: vec4<f32>) -> f32 {
    return (values.x + values.y) + (values.z + values.w);
}

// x = n·ln 2 + r with |r| ≤ ½ ln 2.
struct ReducedExponential {
    // exp(r) − 1.
    expm1: f32,
    // n.
    exponent: i32,
}

// Added to a small number, the lowest bits of the sum's fraction are the nearest integer: cheaper than a rounding and a
// checked conversion.
const ROUNDER: f32 = 12582912.0; // 1.5·2^23
const ROUNDER_BITS: i32 = 0x4b400000;

// exp(x) − 1 − x for |x| ≤ ½ ln 2, to its relative precision.
fn exp_excess(x: f32) -> f32 {
    let x2 = x * x;
    return x2 * ((0.166665375 * x + 0.5) + x2 * ((0.00836724695 * x + 0.0416662656) + x2 * 0.00139475986));
}

// For x in [-110, 90].
fn reduce_exponential(x: f32) -> ReducedExponential {
    let exponent = bitcast<i32>(x * LOG2_E + ROUNDER) - ROUNDER_BITS;
    let n = f32(exponent);
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    return ReducedExponential(r + exp_excess(r), exponent);
}

// 2^n for n in [-127, 127]; 0 for -127.
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>((n + 127) << 23u);
}

// x·2^n for n in [-254, 254], in two steps, because 2^n alone may not be a float.
fn scale_by_power_of_two(x: f32, n: i32) -> f32 {
    let half = n >> 1u;
    return (x * power_of_two(half)) * power_of_two(n - half);
}

fn expf(x: f32) -> f32 {
    // Outside, the result is 0 or infinity all the same.
    let reduced = reduce_exponential(clamp(x, -110.0, 90.0));
    return scale_by_power_of_two(1.0 + reduced.expm1, reduced.exponent);
}

// exp(x) for x ≤ 0, in one step: the bound gives 2^-127, which is 0 here. Results below the smallest normal float are 0
// too.
fn exp_nonpositive(x: f32) -> f32 {
    let reduced = reduce_exponential(max(x, -88.0));
    return (1.0 + reduced.expm1) * power_of_two(reduced.exponent);
}

// The same by WGSL's own exp, off by up to 3 + 2|x| units in the last place: enough, and much cheaper, where the error
// is measured against exp(0), as in a probability of a softmax.
fn coarse_exp_nonpositive(x: f32) -> f32 {
    return select(exp(max(x, -87.0)), 0.0, x < -87.0);
}

// exp(x) − 1.
fn expm1f(x: f32) -> f32 {
    let reduced = reduce_exponential(clamp(x, -110.0, 90.0));
    let power = scale_by_power_of_two(1.0, reduced.exponent);
    return power * reduced.expm1 + (power - 1.0);
}

// f − log(1 + f) for f in [√½ − 1, √2 − 1], to its relative precision.
fn log_excess(f: f32) -> f32 {
    let f2 = f * f;
    let low = (0.333333164 - 0.250008255 * f) + f2 * (0.200023741 - 0.166239992 * f);
    let high = (0.141788244 - 0.131322175 * f) + f2 * (0.129001677 - 0.0787291974 * f);
    return f2 * (0.5 - f * (low + f2 * f2 * high));
}

// log(1 + f) + k·ln 2 for f in [√½ − 1, √2 − 1].
fn log1p_reduced(f: f32, k: f32) -> f32 {
    return (k * LN2_HIGH + f) + (k * LN2_LOW - log_excess(f));
}

// The natural logarithm; −∞ at 0, NaN below.
fn logf(x: f32) -> f32 {
    let tiny = bitcast<u32>(x) < 0x00800000u;
    let bits = bitcast<u32>(select(x, x * 8388608.0, tiny));
    // The exponent of x/√½, so that the fraction lies in [√½, √2).
    let k = bitcast<i32>(bits - 0x3f3504f3u) >> 23u;
    let fraction = bitcast<f32>(bits - (bitcast<u32>(k) << 23u));
    let value = log1p_reduced(fraction - 1.0, f32(k) - select(0.0, 23.0, tiny));
    let infinity = bitcast<f32>((bits & 0u) | 0x7f800000u);
    if (bits == 0u || bits == 0x80000000u) {
        return -infinity;
    }
    if ((bits & 0x80000000u) != 0u) {
        return nan_from(x);
    }
    return select(value, x, bits >= 0x7f800000u);
}

// x^y for x ≥ 0 and y ≥ 0 whose result is not above 2^126. With x = m·2^k, exp(y·log x) would keep the rounding of a
// product as large as k·y; its whole part is taken as an exponent instead, exactly: y's upper half times k is exact.
fn powf(x: f32, exponent: f32) -> f32 {
    if (x == 0.0) {
        return select(0.0, 1.0, exponent == 0.0);
    }
    let tiny = bitcast<u32>(x) < 0x00800000u;
    let bits = bitcast<u32>(select(x, x * 8388608.0, tiny));
    let shift = bitcast<i32>(bits - 0x3f3504f3u) >> 23u;
    let fraction = bitcast<f32>(bits - (bitcast<u32>(shift) << 23u));
    let k = f32(shift) - select(0.0, 23.0, tiny);
    // Of a number below ½·√2 or above √2, no power is a float beyond this one.
    let y = select(min(exponent, 512.0), exponent, k == 0.0);
    let upper = bitcast<f32>(bitcast<u32>(y) & 0xfffff000u);
    let product = k * upper;
    let whole = round(product);
    let rest = (product - whole) + k * (y - upper);
    let power = reduce_exponential(clamp(y * log1p_reduced(fraction - 1.0, 0.0) + rest * LN2, -1000.0, 1000.0));
    return scale_by_power_of_two(1.0 + power.expm1, clamp(power.exponent + i32(whole), -254, 254));
}

// log(1 + x) for x in [-1, 2^126], exact to the relative precision of x near 0; −∞ at −1.
fn log1pf(x: f32) -> f32 {
    // 1 + x = (1 + f)·2^k: the rounding of the sum chooses k alone.
    let bits = bitcast<u32>(1.0 + x);
    let k = bitcast<i32>(bits - 0x3f3504f3u) >> 23u;
    let scale = power_of_two(-k);
    let value = log1p_reduced((scale - 1.0) + scale * x, f32(k));
    return select(value, bitcast<f32>((bits & 0u) | 0xff800000u), bits == 0u);
}

// log(1 + exp(x)).
fn softplus(x: f32) -> f32 {
    return max(x, 0.0) + log1pf(exp_nonpositive(-abs(x)));
}

// log(1 + exp(x)) and its derivative, σ(x).
fn softplus_and_slope(x: f32) -> vec2<f32> {
    let e = exp_nonpositive(-abs(x));
    return vec2<f32>(max(x, 0.0) + log1pf(e), select(e, 1.0, x >= 0.0) / (1.0 + e));
}

// 1/(1 + exp(−x)).
fn sigmoid(x: f32) -> f32 {
    let e = exp_nonpositive(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn tanhf(x: f32) -> f32 {
    let e = expm1f(-2.0 * abs(x));
    return sign(x) * (-e / (2.0 + e));
}

// atan(q) − q for |q| ≤ tan(π/8), to the relative precision of atan(q).
fn atan_excess(q: f32) -> f32 {
    let q2 = q * q;
    let low = 0.199984685 * q2 - 0.333333164;
    let high = 0.1059338 * q2 - 0.142434776;
    return q * (q2 * (low + q2 * q2 * (high - 0.0607706904 * (q2 * q2))));
}

const HALF_PI: f32 = 1.57079637;
const QUARTER_PI: f32 = 0.785398163;

// The angle of the point (x, y) in (−π, π], by one division; 0 at the origin.
fn atan2f(y: f32, x: f32) -> f32 {
    let large = max(abs(x), abs(y));
    let small = min(abs(x), abs(y));
    // Beyond π/8, from the angle π/4.
    let turned = small > 0.414213562 * large;
    let divisor = select(large, large + small, turned);
    let q = select(small, small - large, turned) / select(divisor, 1.0, divisor == 0.0);
    let octant = select(0.0, QUARTER_PI, turned) + (q + atan_excess(q));
    let quadrant = select(octant, HALF_PI - octant, abs(y) > abs(x));
    let angle = select(quadrant, 2.0 * HALF_PI - quadrant, x < 0.0);
    return select(angle, -angle, y < 0.0);
}
