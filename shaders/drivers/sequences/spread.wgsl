// What each token's log-probability is multiplied with in the gradients: its share of what its sequence is. And which
// tokens of logits count: nothing of others, a NaN neither, is to reach their gradients.
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

struct Share {
    slope: f32,
    // Whether the token counts, and its item is there.
    counts: bool,
}

// Nothing for a token of no sequence, and for one that does not count.
fn share_of(token: u32) -> Share {
    let sequence = sequence_of(token);
    let extent = extent_of(sequence);
    let is_there = extent.fits && token >= extent.first && token < extent.end && counts(token);
    if (!is_there || kept[sequence % call.items] == 0) {
        return Share(0.0, false);
    }
    let place = place_of(sequence);
    return Share(slopes[place] / parts_of(lengths[place]), true);
}

fn put(token: u32) {
    let share = share_of(token);
    put_slope(token, share.slope);
    put_counts(token, select(0, 1, share.counts));
}

// A lane takes two tokens at a time, which may share a word.
@compute @workgroup_size(WORKGROUP_SIZE)
fn spread(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, (call.tokens + 1u) / 2u);
    for (var pair = first + thread.lane; pair < end; pair += WORKGROUP_SIZE) {
        put(2u * pair);
        if (2u * pair + 1u < call.tokens) {
            put(2u * pair + 1u);
        }
    }
}
