// Before all else: the rows of an input as quads of f32, zeros behind the last dimension, brought to unit length where
// the loss measures so. A workgroup takes one row after another. Lengths are measured of rows that are scaled by a
// power of two: large and tiny ones have squares beyond f32.

// A row that is left out is 0, whatever it holds.
fn load_quad(row: u32, quad: u32) -> vec4<f32> {
    let first = row * call.dimensions + 4u * quad;
    let kept = is_kept(call.first_item + row);
    var values = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
        if (kept && 4u * quad + i < call.dimensions) {
            values[i] = load_element(first + i);
        }
    }
    return values;
}

// The power of two that brings a row to about 1, of the bits of its largest element without its sign.
fn scale_of(largest: u32) -> f32 {
    return power_of_two(clamp(127 - i32(largest >> 23u), -126, 126));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn prepare(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let end = min((workgroup.x + 1u) * call.span, call.length);
    for (var row = workgroup.x * call.span; row < end; row++) {
        var bits = vec4<u32>();
        for (var quad = thread.lane; quad < call.quads; quad += WORKGROUP_SIZE) {
            bits = max(bits, bitcast<vec4<u32>>(load_quad(row, quad)) & vec4<u32>(0x7fffffffu));
        }
        let largest = ~reduce_min_u32(thread, ~max(max(bits.x, bits.y), max(bits.z, bits.w)));
        let scale = scale_of(largest);
        var square = 0.0;
        for (var block = 0u; block < call.quads; block += BLOCK * WORKGROUP_SIZE) {
            var block_square = 0.0;
            let block_end = min(block + BLOCK * WORKGROUP_SIZE, call.quads);
            for (var quad = block + thread.lane; quad < block_end; quad += WORKGROUP_SIZE) {
                let values = scale * load_quad(row, quad);
                block_square += dot(values, values);
            }
            square += block_square;
        }
        // Of the scaled row.
        let length = sqrt(reduce_add(thread, square));
        let norm = min(length / scale, -LOWEST);
        // Of a row that is not finite nothing is known, nor of one whose squares are beyond f32, if these are measured.
        let is_known = largest < 0x7f800000u && (UNIT || is_finite(norm * norm));
        var divisor = length;
        if (UNIT_FLOORED) {
            divisor = max(length, call.least_norm * scale);
        }
        divisor = select(nan_from(length), divisor, is_known);
        // A zero vector has no direction: it stays 0, and so does its gradient.
        let lost = UNIT && largest == 0u;
        for (var quad = thread.lane; quad < call.quads; quad += WORKGROUP_SIZE) {
            var values = load_quad(row, quad);
            if (!lost && (UNIT || !is_known)) {
                values = scale * values / divisor;
            }
            rows[(call.first_row + row) * call.quads + quad] = values;
        }
        if (thread.lane == 0u) {
            records[call.first_row + row].norm = norm;
            records[call.first_row + row].inverse = select(scale / divisor, 0.0, lost);
        }
    }
}
