// The gradients of two pixels side by side, of one strip each, by a lane at once: their halves make whole words.
const PIXELS_A_LANE: u32 = 2u;

var<private> left: Strip;

fn store_pixels(segment: Segment, at: Cursor, end: u32) {
    let pixel = begin_pixel(at);
    evaluate_pixel(segment, pixel);
    left = gradients;
    evaluate_pixel(segment, begin_pixel(Cursor(at.index + 1u, at.inner + 1u, at.base + 1u)));
    for (var c = 0u; c < STRIP; c++) {
        put_gradients(address(pixel, c) / 2u, vec2<f32>(left[c], gradients[c]));
    }
}
