// Tests of four values by their bits: of a comparison compilers may assume that it sees neither NaN nor infinity.

// The bits of infinity without the sign; those of a NaN are above.
const INFINITE: u32 = 0xff000000u;

fn unsigned_bits_of(values: vec4<f32>) -> vec4<u32> {
    return bitcast<vec4<u32>>(values) << vec4<u32>(1u);
}
