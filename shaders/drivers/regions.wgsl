// Losses of regions: pixels [N, d…], each with a probability for each of C classes. `sum_regions` leaves the sums of each
// class over a part of the pixels, a workgroup a part; drivers/score_regions.wgsl makes scores and their slopes of them;
// `evaluate_gradients` brings the slopes to the pixels, whose probabilities it computes anew.
//
// A lane takes a pixel, and a strip of its classes at a time, which it keeps in registers: all of them where they are few.
// Loops over a strip have constant bounds, so that compilers unroll them.
//
// The header gives: STRIP, STRIPS (whether there are several), SOFTMAX, SIGMOID, INDEX_TARGET, CHECKS_PREDICTION,
// CHECKS_WEIGHT, MASS_OF_WEIGHTS; load_first and load_second (by element), load_target and is_ignored (by pixel),
// load_class_weight (by class), put_gradient and put_gradients. A store file gives PIXELS_A_LANE and store_pixels.

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
    // 1 where it counts: it is not ignored, and its class is one.
    counts: u32,
}

// Of a pixel's logits: their maximum, the first column that has it, Σ exp(x − maximum) without the maximum itself, which
// adds exactly 1, and the largest bits without their sign, which tell of NaN and +∞.
struct Softmax {
    maximum: f32,
    column: u32,
    others: f32,
    unsigned: u32,
}

// What the gradients of a pixel's logits share.
struct Pull {
    softmax: Softmax,
    // The slope of the largest class, and Σ p·(that − the slope of each class).
    largest: f32,
    gap: f32,
    // Σ of the slopes of the pixel's term.
    term: f32,
}

// The strip at hand. Arrays are never handed over: a copy of one that a loop runs over is a copy for each step to some
// compilers.
//
// What the predictions are, p, 1 − p, the targets, and which classes count.
var<private> values: Strip;
var<private> p: Strip;
var<private> q: Strip;
var<private> targets: Strip;
var<private> counted: array<bool, STRIP>;
// The weights of the classes, and the slopes of their scores.
var<private> class_weights: Strip;
var<private> score_slopes: Regions;
// The sums of a block of pixels and of all, with those of the pixels' term: its losses, and what their mean divides by.
var<private> block_sums: Regions;
var<private> sums: Regions;
var<private> block_term: vec2<f32>;
var<private> term: vec2<f32>;
// A pixel's slopes: by p through the scores, and by log p through its term; and its gradients.
var<private> slopes: Strip;
var<private> term_slopes: Strip;
var<private> gradients: Strip;
// Of several strips: the softmaxes of a lane's next pixels.
var<private> softmaxes: array<Softmax, BLOCK>;
// Elements out of range, and the first pixel of one.
var<private> invalid: u32;
var<private> first_invalid: u32;

fn stride_of(pixels: u32) -> Stride {
    let inner = pixels % params.class_stride;
    return Stride(inner, pixels / params.class_stride * params.row_stride + inner);
}

fn cursor_at(index: u32) -> Cursor {
    let inner = index % params.class_stride;
    return Cursor(index, inner, index / params.class_stride * params.row_stride + inner);
}

fn next(at: Cursor, pixels: u32, stride: Stride) -> Cursor {
    let inner = at.inner + stride.inner;
    let base = at.base + stride.base;
    let wraps = inner >= params.class_stride;
    let passed = params.row_stride - params.class_stride;
    return Cursor(
        at.index + pixels,
        select(inner, inner - params.class_stride, wraps),
        select(base, base + passed, wraps),
    );
}

fn begin_pixel(at: Cursor) -> Pixel {
    if (!INDEX_TARGET) {
        return Pixel(at.base, -1, 1u);
    }
    let label = load_target(at.index);
    return Pixel(at.base, label, select(0u, 1u, is_class(label) && !is_ignored(label)));
}

fn is_class(label: i32) -> bool {
    return label >= 0 && u32(label) < params.classes;
}

fn address(pixel: Pixel, column: u32) -> u32 {
    return pixel.base + column * params.class_stride;
}

// The last strip may have fewer classes.
fn is_there(column: u32) -> bool {
    return !STRIPS || column < params.classes;
}

// Where the strips end: a constant where there is one.
fn end_of_strips() -> u32 {
    return select(STRIP, params.classes, STRIPS);
}

fn load_weights(first: u32) {
    for (var c = 0u; c < STRIP; c++) {
        class_weights[c] = 1.0;
        if (CHECKS_WEIGHT && is_there(first + c)) {
            class_weights[c] = load_class_weight(first + c);
        }
    }
}

fn load_slopes(segment: Segment, first: u32) {
    for (var c = 0u; c < STRIP; c++) {
        if (is_there(first + c)) {
            score_slopes[c] = records[slopes_of(segment.index) + first + c];
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
    for (var c = 0u; c < STRIP; c++) {
        joined.others += select(exp_nonpositive(values[c] - joined.maximum), 0.0, first + c == joined.column);
    }
    return joined;
}

fn softmax_of(pixel: Pixel) -> Softmax {
    var softmax = no_softmax();
    for (var first = 0u; first < params.classes; first += STRIP) {
        load_values(pixel, first);
        softmax = join_softmax(softmax, first);
    }
    return softmax;
}

// 1 / Σ exp(x − maximum); NaN where a logit is NaN or +∞, or all are masked.
fn inverse_norm(softmax: Softmax) -> f32 {
    let spoilt = softmax.unsigned >= 0xff000000u || softmax.column == NOWHERE;
    return select(1.0 / (1.0 + softmax.others), nan_from(softmax.maximum), spoilt);
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

// From the values: what each class is.
fn know_classes(pixel: Pixel, softmax: Softmax, first: u32) {
    let inverse = inverse_norm(softmax);
    for (var c = 0u; c < STRIP; c++) {
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
            p[c] = x;
            q[c] = 1.0 - x;
        }
    }
    for (var c = 0u; c < STRIP; c++) {
        targets[c] = 0.0;
        if (is_there(first + c)) {
            targets[c] = target_of(pixel, first + c);
        }
        counted[c] = pixel.counts != 0u && is_in_range(values[c], targets[c], class_weights[c]);
    }
}

// What a class of a pixel adds to the sums of its region.
fn share_of(p: f32, q: f32, t: f32) -> Region {
    if (COMPILED_SQUARED != 0u) {
        let gap = p * (1.0 - t) - t * q;
        return Region(vec2<f32>(gap * gap, gap * (p + t)), p * t);
    }
    return Region(vec2<f32>(p * (1.0 - t), t * q), p * t);
}

// Its derivative by p, with those of the score by its sums.
fn slope_of(slopes: Region, p: f32, q: f32, t: f32) -> f32 {
    if (COMPILED_SQUARED != 0u) {
        let gap = p * (1.0 - t) - t * q;
        return slopes.overlap * t + 2.0 * (slopes.misses.x * gap + slopes.misses.y * p);
    }
    return slopes.overlap * t + (slopes.misses.x * (1.0 - t) - slopes.misses.y * t);
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

fn count_invalid(at: Cursor, pixel: Pixel, first: u32) {
    var found = 0u;
    if (INDEX_TARGET && first == 0u) {
        found = select(0u, 1u, !is_class(pixel.label) && !is_ignored(pixel.label));
    }
    if (CHECKS_PREDICTION || CHECKS_WEIGHT || !INDEX_TARGET) {
        for (var c = 0u; c < STRIP; c++) {
            found += select(0u, 1u, is_there(first + c) && pixel.counts != 0u && !counted[c]);
        }
    }
    invalid += found;
    first_invalid = min(first_invalid, select(NOWHERE, at.index, found > 0u));
}

// Adds a pixel, the `turn`th of a block, to the sums of the block.
fn add_pixel(at: Cursor, turn: u32, first: u32) {
    let pixel = begin_pixel(at);
    load_values(pixel, first);
    var softmax = no_softmax();
    if (SOFTMAX && STRIPS) {
        softmax = softmaxes[turn];
    } else if (SOFTMAX) {
        softmax = join_softmax(softmax, 0u);
    }
    know_classes(pixel, softmax, first);
    count_invalid(at, pixel, first);

    for (var c = 0u; c < STRIP; c++) {
        let region = share_of(p[c], q[c], targets[c]);
        block_sums[c].misses += select(vec2<f32>(), region.misses, counted[c]);
        block_sums[c].overlap += select(0.0, region.overlap, counted[c]);
    }
    if (PIXEL_TERM && INDEX_TARGET && first == 0u) {
        var mass = f32(pixel.counts);
        if (MASS_OF_WEIGHTS && pixel.counts != 0u) {
            mass = weight_of(u32(pixel.label));
        }
        block_term += vec2<f32>(term_of_label(pixel, softmax).x, mass);
    }
    if (PIXEL_TERM && !INDEX_TARGET) {
        block_term.y += select(0.0, 1.0, first == 0u);
        for (var c = 0u; c < STRIP; c++) {
            block_term.x += term_of_class(softmax, c).x;
        }
    }
}

// A lane's sums over its pixels from `start` on. `BLOCK` at a time, so that rounding does not grow with their number.
fn sum_strip(start: Cursor, end: u32, stride: Stride, first: u32) {
    sums = Regions();
    term = vec2<f32>();
    var at = start;
    while (at.index < end) {
        let block_end = min(at.index + BLOCK * WORKGROUP_SIZE, end);
        block_sums = Regions();
        block_term = vec2<f32>();
        for (var turn = 0u; at.index < block_end; turn++) {
            add_pixel(at, turn, first);
            at = next(at, WORKGROUP_SIZE, stride);
        }
        for (var c = 0u; c < STRIP; c++) {
            sums[c] = plus(sums[c], block_sums[c]);
        }
        term += block_term;
    }
}

// Computes the softmaxes of a block of a lane's pixels.
fn keep_softmaxes(start: Cursor, end: u32, stride: Stride) {
    var at = start;
    for (var turn = 0u; at.index < end; turn++) {
        softmaxes[turn] = softmax_of(begin_pixel(at));
        at = next(at, WORKGROUP_SIZE, stride);
    }
}

// All lanes' sums: in place of the part's, or with them.
fn store_region(thread: Thread, record: u32, own: Region, adds: bool) {
    let x = reduce_add(thread, own.misses.x);
    let y = reduce_add(thread, own.misses.y);
    var region = Region(vec2<f32>(x, y), reduce_add(thread, own.overlap));
    if (thread.lane == 0u) {
        if (adds) {
            region = plus(region, records[record]);
        }
        records[record] = region;
    }
}

// The pixels of a workgroup's part, and what its place among the segments is.
struct Part {
    first: u32,
    end: u32,
    index: u32,
}

fn part_of(workgroup: u32) -> Part {
    let start = workgroup / params.parts * params.segment;
    let first = start + workgroup % params.parts * params.span;
    let end = min(min(first + params.span, start + params.segment), params.length);
    return Part(first, end, params.first_partial + workgroup);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_regions(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let part = part_of(workgroup.x);
    let record = records_of(part.index);
    let stride = stride_of(WORKGROUP_SIZE);
    invalid = 0u;
    first_invalid = NOWHERE;
    // With several strips a block of pixels at a time, whose softmaxes are kept.
    let step = select(params.span, BLOCK * WORKGROUP_SIZE, STRIPS);
    var at = cursor_at(part.first + thread.lane);
    for (var start = part.first; start < part.end; start += step) {
        let end = min(start + step, part.end);
        if (STRIPS && SOFTMAX) {
            keep_softmaxes(at, end, stride);
        }
        for (var first = 0u; first < end_of_strips(); first += STRIP) {
            load_weights(first);
            sum_strip(at, end, stride, first);
            for (var c = 0u; c < STRIP; c++) {
                if (is_there(first + c)) {
                    store_region(thread, record + first + c, sums[c], start != part.first);
                }
            }
            if (PIXEL_TERM) {
                let adds = start != part.first || first != 0u;
                store_region(thread, record + params.classes, Region(term, 0.0), adds);
            }
        }
        if (STRIPS) {
            at = cursor_at(end + thread.lane);
        }
    }
    let all_invalid = reduce_add_u32(thread, invalid);
    let very_first = reduce_min_u32(thread, first_invalid);
    if (thread.lane == 0u) {
        workspace.partials[part.index] = Partial(0.0, 0u, all_invalid, very_first, 0u);
    }
}

// What a part of the pixels belongs to, and the slope of the pixels' term.
struct Segment {
    index: u32,
    term_slope: f32,
}

// The slopes of a strip's classes.
fn know_slopes(segment: Segment, pixel: Pixel, softmax: Softmax) {
    for (var c = 0u; c < STRIP; c++) {
        slopes[c] = select(0.0, slope_of(score_slopes[c], p[c], q[c], targets[c]), counted[c]);
    }
    if (PIXEL_TERM && INDEX_TARGET) {
        let slope = segment.term_slope * term_of_label(pixel, softmax).y;
        for (var c = 0u; c < STRIP; c++) {
            term_slopes[c] = select(0.0, slope, targets[c] != 0.0);
        }
    } else if (PIXEL_TERM) {
        for (var c = 0u; c < STRIP; c++) {
            term_slopes[c] = segment.term_slope * term_of_class(softmax, c).y;
        }
    }
}

// The slope of the class with the largest logit.
fn largest_slope(segment: Segment, pixel: Pixel, softmax: Softmax) -> f32 {
    let column = min(softmax.column, params.classes - 1u);
    let inverse = inverse_norm(softmax);
    let t = target_of(pixel, column);
    let slope = slope_of(records[slopes_of(segment.index) + column], inverse, softmax.others * inverse, t);
    return select(0.0, slope, is_in_range(0.0, t, load_class_weight(column)));
}

// By how much the slope of a class is below that of the largest.
fn gap_of(pull: Pull, first: u32, c: u32) -> f32 {
    return select(pull.largest - slopes[c], 0.0, first + c == pull.softmax.column);
}

// From the values, all that is to know of a strip.
fn know_strip(segment: Segment, pixel: Pixel, softmax: Softmax, first: u32) {
    if (STRIPS) {
        load_weights(first);
        load_slopes(segment, first);
    }
    know_classes(pixel, softmax, first);
    know_slopes(segment, pixel, softmax);
}

// Of one strip, all is known after it.
fn pull_of(segment: Segment, pixel: Pixel) -> Pull {
    var pull = Pull();
    if (SOFTMAX && STRIPS) {
        pull.softmax = softmax_of(pixel);
    }
    for (var first = 0u; first < end_of_strips(); first += STRIP) {
        load_values(pixel, first);
        if (SOFTMAX && !STRIPS) {
            pull.softmax = join_softmax(no_softmax(), 0u);
        }
        if (SOFTMAX && first == 0u) {
            pull.largest = largest_slope(segment, pixel, pull.softmax);
        }
        know_strip(segment, pixel, pull.softmax, first);
        for (var c = 0u; c < STRIP; c++) {
            pull.gap += p[c] * gap_of(pull, first, c);
        }
        if (PIXEL_TERM) {
            for (var c = 0u; c < STRIP; c++) {
                pull.term += term_slopes[c];
            }
        }
    }
    return pull;
}

// The gradients of a strip's predictions: through a softmax p·(slope − Σ p·slope), formed from differences to the largest
// class's slope, because p is nearly 1 there; and of the term h·(1 − p) − p·Σ h of the other classes.
fn evaluate_strip(segment: Segment, pixel: Pixel, pull: Pull, first: u32) {
    if (STRIPS) {
        load_values(pixel, first);
        know_strip(segment, pixel, pull.softmax, first);
    }
    for (var c = 0u; c < STRIP; c++) {
        var gradient = slopes[c];
        if (SOFTMAX) {
            gradient = p[c] * (pull.gap - gap_of(pull, first, c));
        } else if (SIGMOID) {
            gradient *= p[c] * q[c];
        }
        if (PIXEL_TERM) {
            gradient += term_slopes[c] * q[c] - p[c] * (pull.term - term_slopes[c]);
        }
        gradients[c] = select(0.0, gradient, pixel.counts != 0u);
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate_gradients(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let part = part_of(workgroup.x);
    var segment = Segment(part.index / params.segment_parts, 0.0);
    if (PIXEL_TERM) {
        segment.term_slope = records[slopes_of(segment.index) + params.classes].misses.x;
    }
    if (!STRIPS) {
        load_weights(0u);
        load_slopes(segment, 0u);
    }
    let pixels = PIXELS_A_LANE * WORKGROUP_SIZE;
    let stride = stride_of(pixels);
    var at = cursor_at(part.first + PIXELS_A_LANE * thread.lane);
    while (at.index < part.end) {
        store_pixels(segment, at);
        at = next(at, pixels, stride);
    }
}
