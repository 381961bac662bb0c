// A pixel's gradients, by a lane: each in a word of its own, or one half of a word that others write to too.
const PIXELS_A_LANE: u32 = 1u;

fn store_pixels(segment: Segment, at: Cursor) {
    let pixel = begin_pixel(at);
    let pull = pull_of(segment, pixel);
    for (var first = 0u; first < end_of_strips(); first += STRIP) {
        evaluate_strip(segment, pixel, pull, first);
        for (var c = 0u; c < STRIP; c++) {
            if (is_there(first + c)) {
                put_gradient(address(pixel, first + c), gradients[c]);
            }
        }
    }
}
