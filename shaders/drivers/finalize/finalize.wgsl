// Sums the partials of all workgroups, in a fixed order, by one workgroup.
//
// Joined to what interface.wgsl lists.

// A sum of losses divided; 0 where there is nothing to divide by, unless a NaN or an infinity must show.
fn divided(sum: f32, divisor: f32) -> f32 {
    return select(sum / (divisor * mean_share(divisor)), undivided(sum), is_no_divisor(divisor));
}

fn divisor_of_call() -> f32 {
    return select(call.divisor, workspace.divisor, call.measured != 0u);
}

// Of the partials before `end`.
fn sum_of_losses(thread: Thread, end: u32) -> f32 {
    var sum = 0.0;
    for (var i = thread.lane; i < end; i += WORKGROUP_SIZE) {
        sum += workspace.partials[i].loss;
    }
    return reduce_add(thread, sum);
}

// After `measure`: the divisor.
@compute @workgroup_size(WORKGROUP_SIZE)
fn finalize_divisor(thread: Thread) {
    let sum = sum_of_losses(thread, call.partials);
    if (thread.lane == 0u) {
        workspace.divisor = sum;
    }
}

// The 64 bits of a count from the sums of its lower and of its upper 16 bits.
fn whole(low: u32, high: u32) -> vec2<u32> {
    let sum = low + (high << 16u);
    return vec2<u32>(sum, (high >> 16u) + select(0u, 1u, sum < low));
}

// How many items counted and were predicted right, and which were out of range.
fn count_items(thread: Thread) {
    var low = vec3<u32>();
    var high = vec3<u32>();
    var first = NOWHERE;
    for (var i = thread.lane; i < call.partials; i += WORKGROUP_SIZE) {
        let partial = workspace.partials[i];
        let counts = vec3<u32>(partial.items, partial.invalid, partial.correct);
        low += counts & vec3<u32>(0xffffu);
        high += counts >> vec3<u32>(16u);
        if (counts.y > 0u) {
            first = min(first, i);
        }
    }
    let items_low = reduce_add_u32(thread, low.x);
    let items_high = reduce_add_u32(thread, high.x);
    let invalid_low = reduce_add_u32(thread, low.y);
    let invalid_high = reduce_add_u32(thread, high.y);
    let correct_low = reduce_add_u32(thread, low.z);
    let correct_high = reduce_add_u32(thread, high.z);
    first = reduce_min_u32(thread, first);
    if (thread.lane == 0u) {
        let items = whole(items_low, items_high);
        let invalid = whole(invalid_low, invalid_high);
        let right = whole(correct_low, correct_high);
        workspace.items_low = items.x;
        workspace.items_high = items.y;
        workspace.invalid_low = invalid.x;
        workspace.invalid_high = invalid.y;
        workspace.correct_low = right.x;
        workspace.correct_high = right.y;
        workspace.invalid_partial = first;
        if (first != NOWHERE) {
            workspace.invalid_item = workspace.partials[first].first_invalid;
        }
    }
}

// After `evaluate`, where each item keeps its loss.
@compute @workgroup_size(WORKGROUP_SIZE)
fn finalize_items(thread: Thread) {
    count_items(thread);
}

// After `evaluate`, where the result is one value.
@compute @workgroup_size(WORKGROUP_SIZE)
fn finalize_loss(thread: Thread) {
    let sum = sum_of_losses(thread, call.partials);
    if (thread.lane == 0u) {
        loss[0] = divided(sum, divisor_of_call());
    }
    count_items(thread);
}

// After `score_regions`, where the loss is a sum of two terms: the last partial has the pixels' mean, the others the
// losses of the scores.
@compute @workgroup_size(WORKGROUP_SIZE)
fn finalize_terms(thread: Thread) {
    let pixels = call.partials - 1u;
    let scores = divided(sum_of_losses(thread, pixels), divisor_of_call());
    if (thread.lane == 0u) {
        let mean = workspace.partials[pixels].loss;
        workspace.first_term = mean;
        workspace.second_term = scores;
        loss[0] = times(call.pixel_weight, mean) + times(call.score_weight, scores);
    }
    count_items(thread);
}
