// All that is to know of the classes of a strip, first of all, each by a short loop: the drivers of CPUs unroll no
// others, and keep what is indexed in a loop in memory.
//
// Joined to pixels.wgsl, sum_regions.wgsl and evaluate_gradients.wgsl.

// The slopes of the strip's scores by their sums.
var<private> score_slopes: Regions;

fn know_classes(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32) {
    for (var c = 0u; c < STRIP; c++) {
        know_probability(softmax, inverse, first, c);
    }
    for (var c = 0u; c < STRIP; c++) {
        know_target(pixel, first, c);
    }
}

fn know_class(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32, c: u32) {}

// How many classes are out of range.
fn invalid_at_once(pixel: Pixel, first: u32) -> u32 {
    var found = 0u;
    for (var c = 0u; c < STRIP; c++) {
        found += u32(is_invalid(pixel, first, c));
    }
    return found;
}

fn invalid_in_turn(pixel: Pixel, first: u32, c: u32) -> u32 {
    return 0u;
}

fn load_slopes(segment: Segment, first: u32) {
    for (var c = 0u; c < STRIP; c++) {
        if (is_there(first + c)) {
            score_slopes[c] = records[slopes_of(segment.index) + first + c];
        }
    }
}

fn know_slopes(segment: Segment, pixel: Pixel, pull: Pull, inverse: f32, first: u32) {
    know_classes(pixel, pull.softmax, inverse, first);
    for (var c = 0u; c < STRIP; c++) {
        slopes[c] = slope_of_class(score_slopes[c], c);
    }
    for (var c = 0u; c < STRIP; c++) {
        term_slopes[c] = term_slope_of_class(segment, pull, c);
    }
}

fn know_slope(segment: Segment, pixel: Pixel, pull: Pull, inverse: f32, first: u32, c: u32) {}
