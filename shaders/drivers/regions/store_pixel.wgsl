// A pixel's gradients, by a lane.
const PIXELS_A_LANE: u32 = 1u;

fn store_pixels(segment: Segment, at: Cursor, end: u32) {
    let pixel = begin_pixel(at);
    evaluate_pixel(segment, pixel);
    store_strip(pixel, 0u);
}
