// The gradients of two pixels side by side, by a lane: their halves make whole words.
const PIXELS_A_LANE: u32 = 2u;

fn store_pixels(segment: Segment, at: Cursor) {
    let left = know_pixel(segment, at);
    let right = know_pixel(segment, Cursor(at.index + 1u, at.inner + 1u, at.base + 1u));
    for (var first = 0u; first < end_of_strips(); first += STRIP) {
        let left_gradients = gradients_of(segment, left, first);
        let right_gradients = gradients_of(segment, right, first);
        for (var c = 0u; c < STRIP; c++) {
            if (is_there(first + c)) {
                let gradients = vec2<f32>(left_gradients[c], right_gradients[c]);
                put_gradients(address(left.pixel, first + c) / 2u, gradients);
            }
        }
    }
}
