// What is known of the classes of a strip, all of them first and by a short loop each: the drivers of CPUs unroll no
// others, and keep what is indexed in a loop in memory.
//
// Joined to pixels.wgsl and evaluate_gradients.wgsl.

var<private> probabilities: array<vec2<f32>, STRIP>;
var<private> known_classes: array<Known, STRIP>;
// The slopes of the strip's scores by their sums; of a pixel through the scores, and through its term.
var<private> score_slopes: Regions;
var<private> slopes: Strip;
var<private> term_slopes: Strip;

fn know_classes(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32) {
    for (var c = 0u; c < STRIP; c++) {
        probabilities[c] = probabilities_of(softmax, inverse, first, c);
    }
    for (var c = 0u; c < STRIP; c++) {
        known_classes[c] = class_with(probabilities[c], pixel, first, c);
    }
}

fn known_class(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32, c: u32) -> Known {
    return known_classes[c];
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
        slopes[c] = slope_of_known(score_slopes[c], known_classes[c]);
    }
    if (PIXEL_TERM) {
        for (var c = 0u; c < STRIP; c++) {
            term_slopes[c] = term_slope_of_known(segment, pull, known_classes[c], c);
        }
    }
}

fn slope_of_class(segment: Segment, known: Known, first: u32, c: u32) -> f32 {
    return slopes[c];
}

fn term_slope_of_class(segment: Segment, pull: Pull, known: Known, c: u32) -> f32 {
    return select(0.0, term_slopes[c], PIXEL_TERM);
}
