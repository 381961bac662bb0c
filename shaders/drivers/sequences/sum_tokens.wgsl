// What the tokens of each sequence have together, by a workgroup each: the sum or the mean of their log-probabilities,
// less those of an old policy where there are such, and how many count.
//
// Joined to what interface.wgsl lists.

// Whether a token that counts has values that it may have.
fn is_in_range(token: u32) -> bool {
    let label = load_target(token);
    let is_class = !HAS_TARGET || (label >= 0 && u32(label) < call.classes);
    return is_class && is_log_probability(load_log_prob(token)) && is_log_probability(load_old_log_prob(token));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_tokens(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let index = workgroup.y * call.across + workgroup.x;
    // Those behind the last do what it does, and leave nothing.
    let sequence = min(index, call.sequences - 1u);
    let extent = extent_of(sequence);
    let stride = WORKGROUP_SIZE;
    var total = 0.0;
    var length = 0u;
    var offending = 0u;
    for (var block = extent.first; block < extent.end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, extent.end);
        var block_total = 0.0;
        for (var token = block + thread.lane; token < block_end; token += stride) {
            if (counts(token)) {
                length += 1u;
                offending += select(1u, 0u, is_in_range(token));
                block_total += load_log_prob(token) - load_old_log_prob(token);
            }
        }
        total += block_total;
    }
    total = reduce_add(thread, total);
    length = reduce_add_u32(thread, length);
    offending = reduce_add_u32(thread, offending);
    if (thread.lane == 0u && index < call.sequences) {
        let place = place_of(sequence);
        lengths[place] = f32(length);
        values[place] = total / parts_of(f32(length));
        standing[place] = select(0u, 1u, extent.fits && offending == 0u);
    }
}
