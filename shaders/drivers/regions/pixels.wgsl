// What the kernels of regions share about pixels [N, d…], each with a probability for each of C classes.
//
// A lane takes a pixel, and a strip of its classes at a time, which it keeps in registers: all of them where they are
// few. Loops over a strip have constant bounds, so that compilers unroll them. Arrays are never handed over: naga
// copies one that a loop runs over for each of its steps.
//
// Joined to what interface_of_pixels.wgsl lists; classes_at_once.wgsl or classes_in_turn.wgsl says when the classes of
// a strip become known.

alias Strip = array<f32, STRIP>;
alias Regions = array<Region, STRIP>;

// A pixel's place.
struct Cursor {
    // Its index in the chunk, and in its sample.
    index: u32,
    inner: u32,
    // The index of its first class's element.
    base: u32,
}

// From a lane's pixel to its next: no division.
struct Stride {
    inner: u32,
    base: u32,
}

struct Pixel {
    base: u32,
    // Its class, where the target says one.
    label: i32,
    // 1 where it counts: it is neither left out nor ignored, and its class is one.
    counts: u32,
}

// Of a pixel's logits: their maximum, the first column that has it, Σ exp(x − maximum) without the maximum itself,
// which adds exactly 1, and the largest bits without their sign, which tell of NaN and +∞.
struct Softmax {
    maximum: f32,
    column: u32,
    others: f32,
    unsigned: u32,
}

// The pixels of a workgroup's part, and what its place among the segments is.
struct Part {
    first: u32,
    end: u32,
    index: u32,
}

fn part_of(workgroup: u32) -> Part {
    let start = workgroup / call.parts * call.segment;
    let first = start + workgroup % call.parts * call.span;
    let end = min(min(first + call.span, start + call.segment), call.length);
    return Part(first, end, call.first_partial + workgroup);
}

// The strip at hand: what the predictions are, p, 1 − p, the targets, which classes count, and their weights.
var<private> values: Strip;
var<private> p: Strip;
var<private> q: Strip;
var<private> targets: Strip;
var<private> counted: array<bool, STRIP>;
var<private> class_weights: Strip;

fn stride_of(pixels: u32) -> Stride {
    let inner = pixels % call.class_stride;
    return Stride(inner, pixels / call.class_stride * call.row_stride + inner);
}

fn cursor_at(index: u32) -> Cursor {
    let inner = index % call.class_stride;
    return Cursor(index, inner, index / call.class_stride * call.row_stride + inner);
}

fn next(at: Cursor, pixels: u32, stride: Stride) -> Cursor {
    let inner = at.inner + stride.inner;
    let base = at.base + stride.base;
    let wraps = inner >= call.class_stride;
    let passed = call.row_stride - call.class_stride;
    return Cursor(
        at.index + pixels,
        select(inner, inner - call.class_stride, wraps),
        select(base, base + passed, wraps),
    );
}

fn begin_pixel(at: Cursor) -> Pixel {
    if (!INDEX_TARGET) {
        return Pixel(at.base, -1, select(0u, 1u, is_kept(at.index)));
    }
    let label = load_target(at.index);
    let counts = is_class(label) && !is_passed_over(at.index, label);
    return Pixel(at.base, label, select(0u, 1u, counts));
}

// Whether a pixel is neither counted nor an error.
fn is_passed_over(index: u32, label: i32) -> bool {
    return !is_kept(index) || is_ignored(label);
}

fn is_class(label: i32) -> bool {
    return label >= 0 && u32(label) < call.classes;
}

fn address(pixel: Pixel, column: u32) -> u32 {
    return pixel.base + column * call.class_stride;
}

// The last strip may have fewer classes.
fn is_there(column: u32) -> bool {
    return !STRIPS || column < call.classes;
}

// Where the strips end: a constant where there is one.
fn end_of_strips() -> u32 {
    return select(STRIP, call.classes, STRIPS);
}

fn load_weights(first: u32) {
    for (var c = 0u; c < STRIP; c++) {
        class_weights[c] = 1.0;
        if (CHECKS_WEIGHT && is_there(first + c)) {
            class_weights[c] = load_class_weight(first + c);
        }
    }
}

// What is not there has the probability 0.
fn load_values(pixel: Pixel, first: u32) {
    for (var c = 0u; c < STRIP; c++) {
        values[c] = select(0.0, LOWEST, SOFTMAX || SIGMOID);
        if (is_there(first + c)) {
            values[c] = load_first(address(pixel, first + c));
        }
    }
}

fn no_softmax() -> Softmax {
    return Softmax(LOWEST, NOWHERE, 0.0, 0u);
}

// The softmax of some logits and the values.
fn join_softmax(before: Softmax, first: u32) -> Softmax {
    var joined = before;
    for (var c = 0u; c < STRIP; c++) {
        let seen = select(values[c], LOWEST, is_masked(values[c]));
        joined.unsigned = max(joined.unsigned, bitcast<u32>(seen) << 1u);
        let larger = seen > joined.maximum;
        joined.maximum = select(joined.maximum, seen, larger);
        joined.column = select(joined.column, first + c, larger);
    }
    if (STRIPS) {
        // The largest of those before may be one of the others now.
        let one = select(0.0, 1.0, before.column != NOWHERE && before.column != joined.column);
        joined.others = (before.others + one) * exp_nonpositive(before.maximum - joined.maximum);
    }
    // A strip's own sum first, so that rounding does not grow with every class.
    var others = 0.0;
    for (var c = 0u; c < STRIP; c++) {
        others += select(exp_nonpositive(values[c] - joined.maximum), 0.0, first + c == joined.column);
    }
    joined.others += others;
    return joined;
}

fn softmax_of(pixel: Pixel) -> Softmax {
    var softmax = no_softmax();
    for (var first = 0u; first < call.classes; first += STRIP) {
        load_values(pixel, first);
        softmax = join_softmax(softmax, first);
    }
    return softmax;
}

// Whether a logit is NaN or +∞, or all are masked.
fn is_spoilt(softmax: Softmax) -> bool {
    return softmax.unsigned >= 0xff000000u || softmax.column == NOWHERE;
}

// 1 / Σ exp(x − maximum); NaN where the softmax is.
fn inverse_norm(softmax: Softmax) -> f32 {
    return select(1.0 / (1.0 + softmax.others), nan_from(softmax.maximum), is_spoilt(softmax));
}

// log p, to its relative precision where p is nearly 1.
fn log_probability(softmax: Softmax, value: f32) -> f32 {
    let log_norm = select(log1pf(softmax.others), inverse_norm(softmax), is_nan(inverse_norm(softmax)));
    return -abs(value - softmax.maximum) - log_norm;
}

fn target_of(pixel: Pixel, column: u32) -> f32 {
    if (INDEX_TARGET) {
        return select(0.0, 1.0, u32(pixel.label) == column);
    }
    return load_second(address(pixel, column));
}

fn is_in_range(value: f32, t: f32, weight: f32) -> bool {
    return (!CHECKS_PREDICTION || is_probability(value))
        && (INDEX_TARGET || is_probability(t))
        && !(CHECKS_WEIGHT && weight < 0.0);
}

// Of a class of the strip p and 1 − p, where the softmax has this `inverse_norm`.
fn know_probability(softmax: Softmax, inverse: f32, first: u32, c: u32) {
    let x = values[c];
    if (SOFTMAX) {
        p[c] = exp_nonpositive(x - softmax.maximum) * inverse;
        q[c] = select(1.0 - p[c], softmax.others * inverse, first + c == softmax.column);
    } else if (SIGMOID) {
        let e = exp_nonpositive(-abs(x));
        let spoilt = is_nan(x) || bitcast<u32>(x) == 0x7f800000u;
        let larger = select(1.0 / (1.0 + e), nan_from(x), spoilt);
        p[c] = select(e * larger, larger, x >= 0.0);
        q[c] = select(larger, e * larger, x >= 0.0);
    } else {
        p[c] = as_probability(x);
        q[c] = 1.0 - p[c];
    }
}

// Of a class of the strip its target, and whether it counts.
fn know_target(pixel: Pixel, first: u32, c: u32) {
    targets[c] = 0.0;
    if (is_there(first + c)) {
        targets[c] = target_of(pixel, first + c);
    }
    counted[c] = pixel.counts != 0u && is_in_range(values[c], targets[c], class_weights[c]);
    if (!INDEX_TARGET) {
        targets[c] = as_probability(targets[c]);
    }
}

// The term of a pixel whose target is a class, and its derivative by log p, both times the class's weight.
fn term_of_label(pixel: Pixel, softmax: Softmax) -> vec2<f32> {
    if (pixel.counts == 0u) {
        return vec2<f32>();
    }
    let log_p = log_probability(softmax, load_first(address(pixel, u32(pixel.label))));
    let weight = load_class_weight(u32(pixel.label));
    let term = pixel_term(expf(log_p), -expm1f(log_p), log_p);
    return select(vec2<f32>(times(weight, term.x), weight * term.y), vec2<f32>(), CHECKS_WEIGHT && weight < 0.0);
}

// The same of one class of a target with a value for each.
fn term_of_class(softmax: Softmax, c: u32) -> vec2<f32> {
    let share = select(0.0, class_weights[c] * targets[c], counted[c]);
    let found = pixel_term(p[c], q[c], log_probability(softmax, values[c]));
    return vec2<f32>(times(share, found.x), share * found.y);
}

// The term of one class of a pixel by itself, and its derivative by the logit, both times the class's weight.
fn term_of_element(c: u32) -> vec2<f32> {
    let found = element_term(values[c], targets[c]);
    let weight = class_weights[c];
    return select(vec2<f32>(), vec2<f32>(times(weight, found.x), weight * found.y), counted[c]);
}
