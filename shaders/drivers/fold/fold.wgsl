// Sums of terms along an axis, of so many neighbours at a time: what one value was broadcast to. Terms and sums lie in
// rows of `inner`, and so many rows of terms make an axis. A lane takes two sums side by side, so that no two lanes
// write to one word of halves.
//
// Joined to what interface.wgsl lists.

fn sum_of(index: u32) -> f32 {
    let part = call.first_part + index / call.inner;
    let place = part % call.parts * call.fan;
    let count = min(call.fan, call.axis - place);
    // The first row of terms that the dispatch is given is that of its first part.
    let row = part / call.parts * call.axis + place - call.first_part * call.fan;
    var total = 0.0;
    for (var i = 0u; i < count; i++) {
        total += load_terms(call.terms_start + (row + i) * call.inner + index % call.inner);
    }
    return total;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn fold(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, (call.length + 1u) / 2u);
    for (var pair = first + thread.lane; pair < end; pair += WORKGROUP_SIZE) {
        let low = sum_of(2u * pair);
        if (2u * pair + 1u == call.length) {
            put_gradient(call.sums_start + 2u * pair, low);
        } else {
            put_both(call.sums_start + 2u * pair, vec2<f32>(low, sum_of(2u * pair + 1u)));
        }
    }
}
