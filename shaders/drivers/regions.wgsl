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

// The classes of a strip: p, 1 − p, the target, and whether each counts.
struct Classes {
    p: Strip,
    q: Strip,
    t: Strip,
    counts: array<bool, STRIP>,
}

// The sums of a strip; and of the pixels' term, of its losses and of what their mean divides by.
struct Sums {
    regions: Regions,
    term: vec2<f32>,
}

// The derivatives by the p of a strip's classes: through their scores; and by log p, through the pixel's term.
struct Slopes {
    scores: Strip,
    term: Strip,
}

// What the gradients of a pixel's logits share.
struct Pull {
    // The slope of the largest class, and Σ p·(that − the slope of each class).
    largest: f32,
    gap: f32,
    // Σ of the term's slopes.
    term: f32,
}

// A pixel before its gradients. Of several strips the classes and slopes are known only for one at a time.
struct Known {
    pixel: Pixel,
    softmax: Softmax,
    pull: Pull,
    classes: Classes,
    slopes: Slopes,
}

// Of the strip at hand: its classes' weights and its scores' slopes.
var<private> class_weights: Strip;
var<private> score_slopes: Regions;
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
fn load_strip(pixel: Pixel, first: u32) -> Strip {
    var values: Strip;
    for (var c = 0u; c < STRIP; c++) {
        values[c] = select(0.0, LOWEST, SOFTMAX || SIGMOID);
        if (is_there(first + c)) {
            values[c] = load_first(address(pixel, first + c));
        }
    }
    return values;
}

fn no_softmax() -> Softmax {
    return Softmax(LOWEST, NOWHERE, 0.0, 0u);
}

// The softmax of some logits and those of a strip.
fn join_softmax(before: Softmax, values: Strip, first: u32) -> Softmax {
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
    for (var first = 0u; first < end_of_strips(); first += STRIP) {
        softmax = join_softmax(softmax, load_strip(pixel, first), first);
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

fn classes_of(pixel: Pixel, values: Strip, softmax: Softmax, first: u32) -> Classes {
    var classes: Classes;
    let inverse = inverse_norm(softmax);
    for (var c = 0u; c < STRIP; c++) {
        let x = values[c];
        if (SOFTMAX) {
            classes.p[c] = exp_nonpositive(x - softmax.maximum) * inverse;
            classes.q[c] = select(1.0 - classes.p[c], softmax.others * inverse, first + c == softmax.column);
        } else if (SIGMOID) {
            let e = exp_nonpositive(-abs(x));
            let larger = select(1.0 / (1.0 + e), nan_from(x), bitcast<u32>(x) << 1u > 0xff000000u || bitcast<u32>(x) == 0x7f800000u);
            classes.p[c] = select(e * larger, larger, x >= 0.0);
            classes.q[c] = select(larger, e * larger, x >= 0.0);
        } else {
            classes.p[c] = x;
            classes.q[c] = 1.0 - x;
        }
        if (is_there(first + c)) {
            classes.t[c] = target_of(pixel, first + c);
        }
        classes.counts[c] = pixel.counts != 0u && is_in_range(x, classes.t[c], class_weights[c]);
    }
    return classes;
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
fn term_of_class(classes: Classes, c: u32, value: f32, softmax: Softmax) -> vec2<f32> {
    let share = select(0.0, class_weights[c] * classes.t[c], classes.counts[c]);
    let term = pixel_term(classes.p[c], classes.q[c], log_probability(softmax, value));
    return vec2<f32>(times(share, term.x), share * term.y);
}

fn count_invalid(at: Cursor, pixel: Pixel, classes: Classes, first: u32) {
    var found = 0u;
    if (INDEX_TARGET && first == 0u) {
        found = select(0u, 1u, !is_class(pixel.label) && !is_ignored(pixel.label));
    }
    if (CHECKS_PREDICTION || CHECKS_WEIGHT || !INDEX_TARGET) {
        for (var c = 0u; c < STRIP; c++) {
            found += select(0u, 1u, is_there(first + c) && pixel.counts != 0u && !classes.counts[c]);
        }
    }
    invalid += found;
    first_invalid = min(first_invalid, select(NOWHERE, at.index, found > 0u));
}

// The sums with a pixel's share of a strip: the pixel is the `turn`th of a block.
fn add_pixel(before: Sums, at: Cursor, turn: u32, first: u32) -> Sums {
    let pixel = begin_pixel(at);
    let values = load_strip(pixel, first);
    var softmax = no_softmax();
    if (SOFTMAX && STRIPS) {
        softmax = softmaxes[turn];
    } else if (SOFTMAX) {
        softmax = join_softmax(softmax, values, 0u);
    }
    let classes = classes_of(pixel, values, softmax, first);
    count_invalid(at, pixel, classes, first);

    var sums = before;
    for (var c = 0u; c < STRIP; c++) {
        let p = select(0.0, classes.p[c], classes.counts[c]);
        let q = select(0.0, classes.q[c], classes.counts[c]);
        let t = select(0.0, classes.t[c], classes.counts[c]);
        sums.regions[c] = plus(sums.regions[c], share_of(p, q, t));
    }
    if (PIXEL_TERM) {
        if (first == 0u) {
            var mass = f32(pixel.counts);
            if (INDEX_TARGET) {
                sums.term.x += term_of_label(pixel, softmax).x;
                if (MASS_OF_WEIGHTS && pixel.counts != 0u) {
                    mass = load_class_weight(u32(pixel.label));
                }
            }
            sums.term.y += mass;
        }
        if (!INDEX_TARGET) {
            for (var c = 0u; c < STRIP; c++) {
                sums.term.x += term_of_class(classes, c, values[c], softmax).x;
            }
        }
    }
    return sums;
}

// A lane's sums over its pixels from `start` on. `BLOCK` at a time, so that rounding does not grow with their number.
fn sum_strip(start: Cursor, end: u32, stride: Stride, first: u32) -> Sums {
    var total = Sums();
    var at = start;
    while (at.index < end) {
        let block_end = min(at.index + BLOCK * WORKGROUP_SIZE, end);
        var sums = Sums();
        for (var turn = 0u; at.index < block_end; turn++) {
            sums = add_pixel(sums, at, turn, first);
            at = next(at, WORKGROUP_SIZE, stride);
        }
        for (var c = 0u; c < STRIP; c++) {
            total.regions[c] = plus(total.regions[c], sums.regions[c]);
        }
        total.term += sums.term;
    }
    return total;
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
            let sums = sum_strip(at, end, stride, first);
            for (var c = 0u; c < STRIP; c++) {
                if (is_there(first + c)) {
                    store_region(thread, record + first + c, sums.regions[c], start != part.first);
                }
            }
            if (PIXEL_TERM) {
                let adds = start != part.first || first != 0u;
                store_region(thread, record + params.classes, Region(sums.term, 0.0), adds);
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

fn slopes_of_classes(segment: Segment, pixel: Pixel, values: Strip, classes: Classes, softmax: Softmax) -> Slopes {
    var slopes: Slopes;
    var label_term = 0.0;
    if (PIXEL_TERM && INDEX_TARGET) {
        label_term = segment.term_slope * term_of_label(pixel, softmax).y;
    }
    for (var c = 0u; c < STRIP; c++) {
        let slope = slope_of(score_slopes[c], classes.p[c], classes.q[c], classes.t[c]);
        slopes.scores[c] = select(0.0, slope, classes.counts[c]);
        if (PIXEL_TERM && INDEX_TARGET) {
            slopes.term[c] = select(0.0, label_term, classes.t[c] != 0.0);
        } else if (PIXEL_TERM) {
            slopes.term[c] = segment.term_slope * term_of_class(classes, c, values[c], softmax).y;
        }
    }
    return slopes;
}

// The slope of the class with the largest logit.
fn largest_slope(segment: Segment, pixel: Pixel, softmax: Softmax) -> f32 {
    let column = min(softmax.column, params.classes - 1u);
    let inverse = inverse_norm(softmax);
    let t = target_of(pixel, column);
    let slope = slope_of(records[slopes_of(segment.index) + column], inverse, softmax.others * inverse, t);
    return select(0.0, slope, is_in_range(0.0, t, load_class_weight(column)));
}

// Of one strip, all there is to know; of several, the classes and slopes of the one from `first` on.
fn know_strip(segment: Segment, before: Known, values: Strip, first: u32) -> Known {
    var known = before;
    if (STRIPS) {
        load_weights(first);
        load_slopes(segment, first);
    }
    known.classes = classes_of(known.pixel, values, known.softmax, first);
    known.slopes = slopes_of_classes(segment, known.pixel, values, known.classes, known.softmax);
    return known;
}

fn know_pixel(segment: Segment, at: Cursor) -> Known {
    var known: Known;
    known.pixel = begin_pixel(at);
    if (SOFTMAX && STRIPS) {
        known.softmax = softmax_of(known.pixel);
    }
    var pull = Pull();
    for (var first = 0u; first < end_of_strips(); first += STRIP) {
        let values = load_strip(known.pixel, first);
        if (SOFTMAX && !STRIPS) {
            known.softmax = join_softmax(no_softmax(), values, 0u);
        }
        if (SOFTMAX && first == 0u) {
            pull.largest = largest_slope(segment, known.pixel, known.softmax);
        }
        known = know_strip(segment, known, values, first);
        for (var c = 0u; c < STRIP; c++) {
            pull.gap += known.classes.p[c] * gap_of(known, pull, first, c);
            pull.term += known.slopes.term[c];
        }
    }
    known.pull = pull;
    return known;
}

// By how much the slope of a class is below that of the largest.
fn gap_of(known: Known, pull: Pull, first: u32, c: u32) -> f32 {
    return select(pull.largest - known.slopes.scores[c], 0.0, first + c == known.softmax.column);
}

// The gradients of a strip's predictions: through a softmax p·(slope − Σ p·slope), formed from differences to the largest
// class's slope, because p is nearly 1 there; and of the term h·(1 − p) − p·Σ h of the other classes.
fn gradients_of(segment: Segment, unfinished: Known, first: u32) -> Strip {
    var known = unfinished;
    if (STRIPS) {
        known = know_strip(segment, known, load_strip(known.pixel, first), first);
    }
    var gradients: Strip;
    for (var c = 0u; c < STRIP; c++) {
        let p = known.classes.p[c];
        let q = known.classes.q[c];
        var gradient = known.slopes.scores[c];
        if (SOFTMAX) {
            gradient = p * (known.pull.gap - gap_of(known, known.pull, first, c));
        } else if (SIGMOID) {
            gradient *= p * q;
        }
        if (PIXEL_TERM) {
            gradient += known.slopes.term[c] * q - p * (known.pull.term - known.slopes.term[c]);
        }
        gradients[c] = select(0.0, gradient, known.pixel.counts != 0u);
    }
    return gradients;
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
