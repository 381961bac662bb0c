// Losses of regions, the last step: the slopes of the scores, which score_regions.wgsl leaves, brought to the
// pixels, whose probabilities are computed anew.
//
// Joined to regions.wgsl and pixels.wgsl; a store file gives PIXELS_A_LANE and store_pixels.

// What a part of the pixels belongs to, and the slope of the pixels' term.
struct Segment {
    index: u32,
    term_slope: f32,
}

// What the gradients of a pixel's logits share.
struct Pull {
    softmax: Softmax,
    // The slope of the largest class, and Σ p·(that − the slope of each class).
    largest: f32,
    gap: f32,
    // The slope of the pixel's term where its target is a class, and Σ of those of all classes.
    label_term: f32,
    term: f32,
}

// A pixel's slopes: by p through the scores, and through its term by log p, or by the logit where that is one of each
// class; and its gradients.
var<private> slopes: Strip;
var<private> term_slopes: Strip;
var<private> gradients: Strip;
// Of several strips: the pulls of a lane's next pixels.
var<private> pulls: array<Pull, KEPT_PULLS>;

// The derivative of a score by the p of a class, with those by its sums.
fn slope_of(slopes: Region, p: f32, q: f32, t: f32) -> f32 {
    if (COMPILED_SQUARED != 0u) {
        let gap = p * (1.0 - t) - t * q;
        return slopes.overlap * t + 2.0 * (slopes.misses.x * gap + slopes.misses.y * p);
    }
    return slopes.overlap * t + (slopes.misses.x * (1.0 - t) - slopes.misses.y * t);
}

// The slope of a class of the strip, known already, through the scores, whose slopes by their sums are these.
fn slope_of_class(score_slopes: Region, c: u32) -> f32 {
    return select(0.0, slope_of(score_slopes, p[c], q[c], targets[c]), counted[c]);
}

// The slope of a class of the strip, known already, through the pixel's term.
fn term_slope_of_class(segment: Segment, pull: Pull, c: u32) -> f32 {
    var slope = 0.0;
    if (PIXEL_TERM && ELEMENTWISE_TERM) {
        slope = segment.term_slope * term_of_element(c).y;
    } else if (PIXEL_TERM && INDEX_TARGET) {
        slope = select(0.0, pull.label_term, targets[c] != 0.0);
    } else if (PIXEL_TERM) {
        slope = segment.term_slope * term_of_class(pull.softmax, c).y;
    }
    return slope;
}

// The slope of the class with the largest logit.
fn largest_slope(segment: Segment, pixel: Pixel, softmax: Softmax) -> f32 {
    let column = min(softmax.column, call.classes - 1u);
    let inverse = inverse_norm(softmax);
    let t = target_of(pixel, column);
    let within = select(as_probability(t), t, INDEX_TARGET);
    let slope = slope_of(records[slopes_of(segment.index) + column], inverse, softmax.others * inverse, within);
    return select(0.0, slope, is_in_range(0.0, t, load_class_weight(column)));
}

// By how much the slope of a class is below that of the largest.
fn gap_of(pull: Pull, first: u32, c: u32) -> f32 {
    return select(pull.largest - slopes[c], 0.0, first + c == pull.softmax.column);
}

// A pixel's pull without what its classes add. Gradients may overwrite its logits once it is known.
fn begin_pull(segment: Segment, pixel: Pixel, softmax: Softmax) -> Pull {
    var pull = Pull();
    pull.softmax = softmax;
    if (SOFTMAX) {
        pull.largest = largest_slope(segment, pixel, softmax);
    }
    if (PIXEL_TERM && INDEX_TARGET && !ELEMENTWISE_TERM) {
        pull.label_term = segment.term_slope * term_of_label(pixel, softmax).y;
    }
    return pull;
}

// With what the classes of a strip add.
fn add_strip(segment: Segment, pixel: Pixel, before: Pull, first: u32) -> Pull {
    var pull = before;
    var gap = 0.0;
    var term = 0.0;
    let inverse = inverse_norm(pull.softmax);
    know_slopes(segment, pixel, pull, inverse, first);
    for (var c = 0u; c < STRIP; c++) {
        know_slope(segment, pixel, pull, inverse, first, c);
        gap += p[c] * gap_of(pull, first, c);
        term += term_slopes[c];
    }
    pull.gap += gap;
    pull.term += term;
    return pull;
}

// The gradients of a strip's predictions: through a softmax p·(slope − Σ p·slope), formed from differences to the
// largest class's slope, because p is nearly 1 there; and of the term h·(1 − p) − p·Σ h of the other classes.
fn evaluate_strip(segment: Segment, pixel: Pixel, pull: Pull, first: u32) {
    let inverse = inverse_norm(pull.softmax);
    for (var c = 0u; c < STRIP; c++) {
        know_slope(segment, pixel, pull, inverse, first, c);
        var gradient = slopes[c];
        if (SOFTMAX) {
            gradient = p[c] * (pull.gap - gap_of(pull, first, c));
        } else if (SIGMOID) {
            gradient *= p[c] * q[c];
        }
        if (PIXEL_TERM && ELEMENTWISE_TERM) {
            gradient += term_slopes[c];
        } else if (PIXEL_TERM) {
            gradient += term_slopes[c] * q[c] - p[c] * (pull.term - term_slopes[c]);
        }
        gradients[c] = select(0.0, gradient, pixel.counts != 0u);
    }
}

// The gradients of a pixel whose classes are one strip.
fn evaluate_pixel(segment: Segment, pixel: Pixel) {
    load_values(pixel, 0u);
    var softmax = no_softmax();
    if (SOFTMAX) {
        softmax = join_softmax(softmax, 0u);
    }
    let pull = add_strip(segment, pixel, begin_pull(segment, pixel, softmax), 0u);
    evaluate_strip(segment, pixel, pull, 0u);
}

// Those of a lane's next pixels whose classes are several strips: one strip of all of them after the other, so that its
// slopes are loaded once.
fn evaluate_block(segment: Segment, start: Cursor, end: u32, stride: Stride) {
    var at = start;
    for (var turn = 0u; at.index < end; turn++) {
        let pixel = begin_pixel(at);
        var softmax = no_softmax();
        if (SOFTMAX) {
            softmax = softmax_of(pixel);
        }
        pulls[turn] = begin_pull(segment, pixel, softmax);
        at = next(at, WORKGROUP_SIZE, stride);
    }
    if (SOFTMAX) {
        for (var first = 0u; first < call.classes; first += STRIP) {
            load_weights(first);
            load_slopes(segment, first);
            at = start;
            for (var turn = 0u; at.index < end; turn++) {
                let pixel = begin_pixel(at);
                load_values(pixel, first);
                pulls[turn] = add_strip(segment, pixel, pulls[turn], first);
                at = next(at, WORKGROUP_SIZE, stride);
            }
        }
    }
    for (var first = 0u; first < call.classes; first += STRIP) {
        load_weights(first);
        load_slopes(segment, first);
        at = start;
        for (var turn = 0u; at.index < end; turn++) {
            let pixel = begin_pixel(at);
            load_values(pixel, first);
            know_slopes(segment, pixel, pulls[turn], inverse_norm(pulls[turn].softmax), first);
            evaluate_strip(segment, pixel, pulls[turn], first);
            store_strip(pixel, first);
            at = next(at, WORKGROUP_SIZE, stride);
        }
    }
}

// Each class of a strip in a word of its own, or one half of a word that others write to too.
fn store_strip(pixel: Pixel, first: u32) {
    for (var c = 0u; c < STRIP; c++) {
        if (is_there(first + c)) {
            put_gradient(address(pixel, first + c), gradients[c]);
        }
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate_gradients(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let part = part_of(workgroup.x);
    var segment = Segment(part.index / call.segment_parts, 0.0);
    if (PIXEL_TERM) {
        segment.term_slope = records[slopes_of(0u) + call.classes].misses.x;
    }
    if (!STRIPS) {
        load_weights(0u);
        load_slopes(segment, 0u);
    }
    let pixels = PIXELS_A_LANE * WORKGROUP_SIZE;
    let stride = stride_of(pixels);
    var at = cursor_at(part.first + PIXELS_A_LANE * thread.lane);
    while (at.index < part.end) {
        if (STRIPS) {
            let end = min(at.index + KEPT_PULLS * WORKGROUP_SIZE, part.end);
            evaluate_block(segment, at, end, stride);
            at = cursor_at(at.index + KEPT_PULLS * WORKGROUP_SIZE);
        } else {
            store_pixels(segment, at, part.end);
            at = next(at, pixels, stride);
        }
    }
}
