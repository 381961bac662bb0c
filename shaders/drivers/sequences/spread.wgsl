// What each token's log-probability is multiplied with in the gradients: its share of what its sequence is.
//
// Joined to what interface.wgsl lists.

// The sequence of a token, if offsets rise: any other otherwise.
fn sequence_of(token: u32) -> u32 {
    var low = 0u;
    var high = call.sequences;
    while (high - low > 1u) {
        let middle = low + (high - low) / 2u;
        let is_behind = offsets[middle] >= 0 && u32(offsets[middle]) <= token;
        low = select(low, middle, is_behind);
        high = select(middle, high, is_behind);
    }
    return low;
}

// 0 for a token of no sequence, and for one that does not count.
fn slope_of(token: u32) -> f32 {
    let sequence = sequence_of(token);
    let extent = extent_of(sequence);
    if (!extent.fits || token < extent.first || token >= extent.end || !counts(token)) {
        return 0.0;
    }
    let place = place_of(sequence);
    return slopes[place] / parts_of(lengths[place]);
}

// A lane takes two tokens at a time, which may share a word.
@compute @workgroup_size(WORKGROUP_SIZE)
fn spread(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, (call.tokens + 1u) / 2u);
    for (var pair = first + thread.lane; pair < end; pair += WORKGROUP_SIZE) {
        put_slope(2u * pair, slope_of(2u * pair));
        if (2u * pair + 1u < call.tokens) {
            put_slope(2u * pair + 1u, slope_of(2u * pair + 1u));
        }
    }
}
