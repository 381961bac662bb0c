// The result of a loss that is a sum of others, from the results of its parts, and what they counted.
//
// Joined to what interface.wgsl lists.

// A count of 64 bits from a part's workspace.
fn count_of(part: u32, word: u32) -> vec2<u32> {
    let place = part * call.workspace_stride + word;
    return vec2<u32>(workspaces[place], workspaces[place + 1u]);
}

fn plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn combine(thread: Thread) {
    if (thread.lane > 0u) {
        return;
    }
    var total = 0.0;
    var items = vec2<u32>();
    var invalid = vec2<u32>();
    for (var part = 0u; part < call.parts; part++) {
        let result = losses[part * call.loss_stride];
        // A weight of 0 leaves nothing of a part but a NaN.
        total += select(times(weight_of(part), result), result, is_nan(result));
        put_slope(part, result);
        items = plus(items, count_of(part, ITEMS));
        invalid = plus(invalid, count_of(part, INVALID));
    }
    loss[0] = total;
    workspace.items_low = items.x;
    workspace.items_high = items.y;
    workspace.invalid_low = invalid.x;
    workspace.invalid_high = invalid.y;
    // Values of the first part alone are checked.
    workspace.invalid_partial = workspaces[INVALID_PARTIAL];
    workspace.invalid_item = workspaces[INVALID_ITEM];
    workspace.first_term = losses[0];
    workspace.second_term = losses[(call.parts - 1u) * call.loss_stride];
}
