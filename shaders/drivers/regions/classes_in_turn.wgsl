// What is known of the classes of a strip, one class after the other: so no more than the predictions of the others
// need registers meanwhile, and the slopes of the scores, which all lanes share, none.
//
// Joined to pixels.wgsl and evaluate_gradients.wgsl.

fn know_classes(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32) {}

fn known_class(pixel: Pixel, softmax: Softmax, inverse: f32, first: u32, c: u32) -> Known {
    return class_with(probabilities_of(softmax, inverse, first, c), pixel, first, c);
}

fn load_slopes(segment: Segment, first: u32) {}

fn know_slopes(segment: Segment, pixel: Pixel, pull: Pull, inverse: f32, first: u32) {}

fn slope_of_class(segment: Segment, known: Known, first: u32, c: u32) -> f32 {
    if (!is_there(first + c)) {
        return 0.0;
    }
    return slope_of_known(records[slopes_of(segment.index) + first + c], known);
}

fn term_slope_of_class(segment: Segment, pull: Pull, known: Known, c: u32) -> f32 {
    return term_slope_of_known(segment, pull, known, c);
}
