// What gathering takes from the rows that get gradients, and leaves for them.

// Whether giver and the next three are before the end.
fn are_before(giver: u32, end: u32) -> vec4<bool> {
    return vec4<u32>(giver) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
}

// What a row is drawn from: itself; or nothing, where it is too short to be brought to unit length, and is a multiple
// of what was given.
fn center_of(receiver: u32, quad: u32) -> vec4<f32> {
    let row = call.first_receiver + min(receiver, call.receivers - 1u);
    let is_short = UNIT_FLOORED && records[row].norm < call.least_norm;
    return select(rows[row * call.quads + quad], vec4<f32>(), is_short);
}

fn put_sum(counts: bool, row: u32, quad: u32, value: vec4<f32>) {
    let place = row * call.quads + quad;
    if (counts) {
        sums[place] = select(vec4<f32>(), sums[place], call.adds != 0u) + value;
    }
}

fn put_radial(counts: bool, row: u32, value: f32) {
    if (counts) {
        radials[row] = select(0.0, radials[row], call.adds != 0u) + value;
    }
}
