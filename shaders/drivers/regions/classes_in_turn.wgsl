// All that is to know of a class of a strip, when its turn comes: so no more than the predictions of the other classes
// need registers meanwhile, and the slopes of the scores, which all lanes share, none.
//
// Joined to pixels.wgsl, sum_regions.wgsl and evaluate_gradients.wgsl.

fn know_classes(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32) {}

fn know_class(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32, c: u32) {
    know_probability(softmax, inverse, first, c);
    know_target(pixel, first, c);
}

// How many classes are out of range.
fn invalid_in_turn(pixel: Pixel, first: u32, c: u32) -> u32 {
    return u32(is_invalid(pixel, first, c));
}

fn invalid_at_once(pixel: Pixel, first: u32) -> u32 {
    return 0u;
}

fn load_slopes(segment: Segment, first: u32) {}

fn know_slopes(segment: Segment, pixel: Pixel, pull: Pull, inverse: f32, first: u32) {}

fn know_slope(segment: Segment, pixel: Pixel, pull: Pull, inverse: f32, first: u32, c: u32) {
    know_class(pixel, pull.softmax, inverse, first, c);
    slopes[c] = 0.0;
    if (is_there(first + c)) {
        slopes[c] = slope_of_class(records[slopes_of(segment.index) + first + c], c);
    }
    term_slopes[c] = term_slope_of_class(segment, pull, c);
}
