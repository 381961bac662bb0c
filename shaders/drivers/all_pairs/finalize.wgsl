// Adds up the records of all anchors, in a fixed order, by one workgroup: the divisor, the loss and the counts.

fn count_of(count: array<u32, 2>) -> vec2<u32> {
    return vec2<u32>(count[0], count[1]);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn finalize_batch(thread: Thread) {
    var items = vec2<u32>();
    var triplets = vec2<u32>();
    var active_triplets = vec2<u32>();
    var positives = vec2<u32>();
    var negatives = vec2<u32>();
    // The loss, the mass and the slope; the distances of positives and negatives.
    var sums = vec3<f32>();
    var distances = vec2<f32>();
    let stride = WORKGROUP_SIZE;
    // That the sum of the losses overflows only where their mean does.
    let share = mean_share(f32(call.length));
    for (var block = 0u; block < call.length; block += BLOCK * stride) {
        let end = min(block + BLOCK * stride, call.length);
        var block_sums = vec3<f32>();
        var block_distances = vec2<f32>();
        for (var i = block + thread.lane; i < end; i += stride) {
            block_sums += vec3<f32>(share * records[i].loss, records[i].mass, records[i].slope);
            items = plus_wide(items, count_of(records[i].items));
            if (MINING) {
                block_distances += vec2<f32>(records[i].positive_distance, records[i].negative_distance);
                triplets = plus_wide(triplets, count_of(records[i].triplets));
                active_triplets = plus_wide(active_triplets, count_of(records[i].active_triplets));
                positives = plus_wide(positives, wide(records[i].positives));
                negatives = plus_wide(negatives, wide(records[i].negatives));
            }
        }
        sums += block_sums;
        distances += block_distances;
    }
    let total = reduce_add(thread, sums.x);
    let mass = reduce_add(thread, sums.y);
    let slope = reduce_add(thread, sums.z);
    items = reduce_add_wide(thread, items);
    triplets = reduce_add_wide(thread, triplets);
    active_triplets = reduce_add_wide(thread, active_triplets);
    positives = reduce_add_wide(thread, positives);
    negatives = reduce_add_wide(thread, negatives);
    let positive_distance = reduce_add(thread, distances.x);
    let negative_distance = reduce_add(thread, distances.y);

    // A batch without a scale: what would count is out of range.
    var invalid = vec2<u32>();
    if (SCALED && !is_scale(workspace.value_scale)) {
        invalid = items;
        items = vec2<u32>();
    }
    if (thread.lane == 0u) {
        let measured = select(wide_to_float(items), mass, call.weighted != 0u);
        var divisor = select(call.divisor, measured, call.measured != 0u);
        if (call.measured == GIVEN) {
            divisor = workspace.divisor;
        }
        workspace.divisor = divisor;
        workspace.items_low = items.x;
        workspace.items_high = items.y;
        workspace.invalid_low = invalid.x;
        workspace.invalid_high = invalid.y;
        workspace.invalid_partial = 0u;
        workspace.invalid_item = 0u;
        workspace.triplets_low = triplets.x;
        workspace.triplets_high = triplets.y;
        workspace.active_low = active_triplets.x;
        workspace.active_high = active_triplets.y;
        workspace.positive_distance = positive_distance / max(wide_to_float(positives), 1.0);
        workspace.negative_distance = negative_distance / max(wide_to_float(negatives), 1.0);
        workspace.slope = slope;
        if (REDUCED) {
            loss[0] = select(total / (divisor * share), undivided(total), is_no_divisor(divisor));
        }
    }
}
