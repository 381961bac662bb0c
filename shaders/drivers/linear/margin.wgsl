// The margin of each row's target: its logit by a harder one, before the loss; and after it, its gradient by what the
// harder one moves with the cosine. A lane takes a row.
//
// Joined to what interface.wgsl lists; a file gives hardened.

// Where the logit of a row's target lies; NOWHERE if the row does not count, or names no class.
fn place_of_target(row: u32) -> u32 {
    let label = load_target(call.first_place + row);
    let is_there = kept[call.first_place + row] != 0 && label >= 0 && u32(label) < call.classes;
    return select(NOWHERE, row * call.logit_stride + u32(label), is_there);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn add_margin(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var row = first + thread.lane; row < end; row += WORKGROUP_SIZE) {
        let place = place_of_target(row);
        if (place != NOWHERE) {
            let harder = hardened(logits[place / 4u][place % 4u] / call.factor);
            logits[place / 4u][place % 4u] = call.factor * harder.x;
            slopes[row] = harder.y;
        }
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn follow_margin(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var row = first + thread.lane; row < end; row += WORKGROUP_SIZE) {
        let place = place_of_target(row);
        if (place != NOWHERE) {
            logits[place / 4u][place % 4u] *= slopes[row];
        }
    }
}
