// What rows and pixels have of infinity: a masked class, and sums that no infinity may enter.

// The lowest finite value: compilers may assume that infinities do not occur.
const LOWEST: f32 = -3.4028234e38;

fn is_masked(logit: f32) -> bool {
    return bitcast<u32>(logit) == 0xff800000u;
}

// A factor of 0 leaves nothing, of infinity either: what has no weight does not count.
fn times(factor: f32, x: f32) -> f32 {
    return select(factor * x, 0.0, factor == 0.0);
}
