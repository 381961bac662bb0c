// Before all else: the rows of an input as quads of f32, zeros behind the last dimension, brought to unit length where
// the loss measures so. A workgroup takes one row after another.

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

@compute @workgroup_size(WORKGROUP_SIZE)
fn prepare(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let end = min((workgroup.x + 1u) * call.span, call.length);
    for (var row = workgroup.x * call.span; row < end; row++) {
        var square = 0.0;
        for (var block = 0u; block < call.quads; block += BLOCK * WORKGROUP_SIZE) {
            var block_square = 0.0;
            let block_end = min(block + BLOCK * WORKGROUP_SIZE, call.quads);
            for (var quad = block + thread.lane; quad < block_end; quad += WORKGROUP_SIZE) {
                let values = load_quad(row, quad);
                block_square += dot(values, values);
            }
            square += block_square;
        }
        let norm = sqrt(reduce_add(thread, square));
        var divisor = 1.0;
        if (UNIT) {
            divisor = select(norm, max(norm, LEAST_NORM), UNIT_FLOORED);
        }
        // Of a row whose length is beyond f32 nothing is known.
        divisor = select(nan_from(norm), divisor, is_finite(norm));
        // A zero vector has no direction: it stays 0, and so does its gradient.
        let lost = UNIT && norm == 0.0;
        for (var quad = thread.lane; quad < call.quads; quad += WORKGROUP_SIZE) {
            let values = load_quad(row, quad);
            rows[(call.first_row + row) * call.quads + quad] = select(values / divisor, values, lost);
        }
        if (thread.lane == 0u) {
            records[call.first_row + row].norm = norm;
            records[call.first_row + row].inverse = select(1.0 / divisor, 0.0, lost);
        }
    }
}
