// The rows that count, in order, which are the only ones that are multiplied: `order` has their numbers, NOWHERE behind
// the last; `places` has for each row its place there, NOWHERE where it does not count; and `kept` whether a place has
// a row that counts: 1, or 2 where its target is out of range, so that nothing is made of its states. Where rows may
// not change their places, each has its own.
//
// One workgroup takes a segment of the rows, each lane neighbouring ones. Joined to what interface.wgsl lists.

// Whether a row has a target: `shift` places behind it, in the same sequence.
fn has_target(row: u32) -> bool {
    return row % call.sequence + call.shift < call.sequence;
}

fn is_listed(row: u32) -> bool {
    return is_kept(row) && has_target(row) && !is_ignored(load_target(row + call.shift));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn list(thread: Thread) {
    let share = (call.length + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let first = call.first + min(thread.lane * share, call.length);
    let end = min(first + share, call.first + call.length);
    var count = 0u;
    for (var row = first; row < end; row++) {
        count += select(0u, 1u, !COMPACTS || is_listed(row));
    }
    var place = call.first + lanes_before(thread, count);
    let listed = reduce_add_u32(thread, count);
    for (var row = first; row < end; row++) {
        let counts = is_listed(row);
        places[row] = select(NOWHERE, place, counts);
        if (counts || !COMPACTS) {
            order[place] = row;
            let is_read = is_in_range(load_target(row + call.shift));
            kept[place] = select(0, select(2, 1, is_read), counts);
            place += 1u;
        }
    }
    // Behind the last row there are as many places as rows that do not count.
    for (var empty = max(first, call.first + listed); empty < end; empty++) {
        order[empty] = NOWHERE;
        kept[empty] = 0;
    }
}
