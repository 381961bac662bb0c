// The sum of squares of a block, which is walked over again where they overflow or vanish: with a scale that is known
// at run time only, so that no compiler takes it out of the product.

// The bits of 2^-90 and 2^96. A block whose sum is between these has lost nothing that counts: what vanished is below
// 256·2^-126; and sums of many such blocks do not overflow.
const LEAST_SQUARES: u32 = 37u << 23u;
const MOST_SQUARES: u32 = 223u << 23u;

// The sum of a lane's quads of a block as a small, a middle or a large one; `squares` is what it came to without a
// scale. `counted_values(quad)` gives the values.
fn scaled_squares(squares: f32, first: u32, end: u32) -> vec3<f32> {
    let bits = bitcast<u32>(squares) & 0x7fffffffu;
    if (bits >= LEAST_SQUARES && bits <= MOST_SQUARES) {
        return vec3<f32>(0.0, squares, 0.0);
    }
    let is_low = bits < LEAST_SQUARES;
    let scale = power_of_two(select(HIGH_EXPONENT, LOW_EXPONENT, is_low));
    var scaled = vec4<f32>();
    for (var quad = first; quad < end; quad += WORKGROUP_SIZE) {
        let values = scale * counted_values(quad);
        scaled += values * values;
    }
    let total = sum(scaled);
    return select(vec3<f32>(0.0, 0.0, total), vec3<f32>(total, 0.0, 0.0), is_low);
}
