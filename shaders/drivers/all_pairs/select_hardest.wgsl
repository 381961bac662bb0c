// An anchor's hardest positive and hardest negative, and how they and the anchor draw each other. A workgroup takes an
// anchor.
//
// The hooks are hardest_outcome and, by choice, relation (hooks/).

@compute @workgroup_size(WORKGROUP_SIZE)
fn select_pairs(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let local = workgroup.x;
    let row = call.first_item + local;
    let base = local * call.stride;
    let label = load_label(row);

    // Values are not below 0, so their bits are in their order. Of equal ones the first column counts.
    var farthest = 0u;
    var nearest = NOWHERE;
    var positive = NOWHERE;
    var negative = NOWHERE;
    var counts = vec2<u32>();
    var sums = vec2<f32>();
    var bits = 0u;
    let stride = WORKGROUP_SIZE;
    for (var block = 0u; block < call.columns; block += BLOCK * stride) {
        let end = min(block + BLOCK * stride, call.columns);
        var block_sums = vec2<f32>();
        for (var column = block + thread.lane; column < end; column += stride) {
            let value = panel[base + column];
            let value_bits = bitcast<u32>(value) & 0x7fffffffu;
            let kind = relation(row, label, column);
            bits = max(bits, select(0u, value_bits, kind != NEITHER));
            let farther = kind == POSITIVE && (positive == NOWHERE || value_bits > farthest);
            farthest = select(farthest, value_bits, farther);
            positive = select(positive, column, farther);
            let nearer = kind == NEGATIVE && value_bits < nearest;
            nearest = select(nearest, value_bits, nearer);
            negative = select(negative, column, nearer);
            let distance = distance_of(value);
            counts += vec2<u32>(u32(kind == POSITIVE), u32(kind == NEGATIVE));
            block_sums += select(vec2<f32>(), vec2<f32>(distance), vec2<bool>(kind == POSITIVE, kind == NEGATIVE));
        }
        sums += block_sums;
    }
    let spoilt = reduce_min_u32(thread, ~bits) <= ~0x7f800000u;
    let most = ~reduce_min_u32(thread, ~select(0u, farthest, positive != NOWHERE));
    positive = reduce_min_u32(thread, select(NOWHERE, positive, farthest == most));
    let least = reduce_min_u32(thread, nearest);
    negative = reduce_min_u32(thread, select(NOWHERE, negative, nearest == least));
    let positives = reduce_add_u32(thread, counts.x);
    let negatives = reduce_add_u32(thread, counts.y);
    let positive_sum = finite_or_nan(reduce_add(thread, sums.x));
    let negative_sum = finite_or_nan(reduce_add(thread, sums.y));

    let is_item = positives > 0u && negatives > 0u;
    let farthest_value = bitcast<f32>(select(0u, most, is_item));
    let nearest_value = bitcast<f32>(select(0u, least, is_item));
    var outcome = hardest_outcome(distance_of(farthest_value) - distance_of(nearest_value));
    outcome = select(vec2<f32>(), outcome, is_item);
    let nan = vec2<f32>(nan_from(outcome.x), nan_from(outcome.y));
    outcome = select(outcome, nan, spoilt && is_item);

    // An anchor that does not count hides what its weight is.
    let weight = select(0.0, load_weight(row), is_item);
    if (thread.lane == 0u) {
        store_loss(row, weight * outcome.x);
        let is_known = is_item && !spoilt;
        store_hardest(row, select(-1, i32(positive), is_known), select(-1, i32(negative), is_known));
        let record = call.first_row + local;
        records[record].loss = weight * outcome.x;
        records[record].mass = weight;
        records[record].items[0] = u32(is_item);
        records[record].items[1] = 0u;
        records[record].triplets[0] = u32(is_item);
        records[record].triplets[1] = 0u;
        records[record].active_triplets[0] = u32(is_item && (spoilt || outcome.x > 0.0));
        records[record].active_triplets[1] = 0u;
        records[record].positives = positives;
        records[record].negatives = negatives;
        records[record].positive_distance = positive_sum;
        records[record].negative_distance = negative_sum;
        // NaN where any anchor is spoilt: then all gradients are.
        records[record].slope = select(0.0, outcome.x, spoilt && is_item);
        if (GRADIENTS) {
            let slope = weight * load_upstream(row) * outcome.y;
            let mined = vec2<u32>(select(0u, positive, is_item), select(0u, negative, is_item));
            let to_positive = pull_of(slope, farthest_value, local, mined.x);
            let to_negative = pull_of(-slope, nearest_value, local, mined.y);
            records[record].mined[0] = mined.x;
            records[record].mined[1] = mined.y;
            records[record].pulls[0] = select(0.0, to_positive.x, is_item);
            records[record].pulls[1] = select(0.0, to_negative.x, is_item);
            records[record].radials[0] = select(0.0, to_positive.y, is_item);
            records[record].radials[1] = select(0.0, to_negative.y, is_item);
        }
    }
}
