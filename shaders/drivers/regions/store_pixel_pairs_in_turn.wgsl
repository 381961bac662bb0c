// The gradients of two pixels side by side, of one strip each, by a lane, one after the other: their halves make whole
// words.
const PIXELS_A_LANE: u32 = 2u;

var<private> left: Strip;

fn store_pixels(segment: Segment, at: Cursor, end: u32) {
    let pixel = begin_pixel(at);
    // Both are before the end. Compilers that know it make two copies of all this, and keep what these share in
    // registers that are not there.
    let pixels = min(2u, end - at.index);
    for (var i = 0u; i < pixels; i++) {
        left = gradients;
        evaluate_pixel(segment, begin_pixel(Cursor(at.index + i, at.inner + i, at.base + i)));
    }
    for (var c = 0u; c < STRIP; c++) {
        put_gradients(address(pixel, c) / 2u, vec2<f32>(left[c], gradients[c]));
    }
}
