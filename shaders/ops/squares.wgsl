// Sums of squares of values of any size: those of small blocks, of middle ones and of large ones, each by a power of
// two of its own, so that none overflows or vanishes.

// By which the values of small and of large blocks are multiplied: exponents of two.
const LOW_EXPONENT: i32 = 90;
const HIGH_EXPONENT: i32 = -70;

// The square root of the three sums, relative to the largest of their roots.
fn root_of_squares(sums: vec3<f32>) -> f32 {
    let scales = vec3<f32>(power_of_two(-LOW_EXPONENT), 1.0, power_of_two(-HIGH_EXPONENT));
    let roots = sqrt(sums) * scales;
    let most = max(max(roots.x, roots.y), roots.z);
    let parts = roots / select(most, 1.0, most == 0.0);
    return most * sqrt(dot(parts, parts));
}
