// An anchor's cross-entropy: over its values with all columns but itself, against its positives in equal shares. A
// workgroup takes an anchor. Gradients take the place of the values in the panel.
//
// The hook, by choice, is relation (hooks/).

@compute @workgroup_size(WORKGROUP_SIZE)
fn select_pairs(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let local = workgroup.x;
    let row = call.first_item + local;
    let base = local * call.stride;
    let label = load_label(row);

    // The largest value, the first column that has it, and how many positives there are.
    var largest = LOWEST;
    var largest_column = NOWHERE;
    var positives = 0u;
    var bits = 0u;
    for (var column = thread.lane; column < call.columns; column += WORKGROUP_SIZE) {
        let value = panel[base + column];
        let kind = relation(row, label, column);
        let counts = kind != NEITHER;
        bits = max(bits, select(0u, bitcast<u32>(value) & 0x7fffffffu, counts));
        let larger = counts && value > largest;
        largest = select(largest, value, larger);
        largest_column = select(largest_column, column, larger);
        positives += u32(kind == POSITIVE);
    }
    let spoilt = reduce_min_u32(thread, ~bits) <= ~0x7f800000u;
    let maximum = reduce_max(thread, largest);
    let first_largest = reduce_min_u32(thread, select(NOWHERE, largest_column, largest == maximum));
    positives = reduce_add_u32(thread, positives);

    // What the others add to the maximum's own 1, and how far below it the positives lie.
    var others = 0.0;
    var gap = 0.0;
    let stride = WORKGROUP_SIZE;
    for (var block = 0u; block < call.columns; block += BLOCK * stride) {
        let end = min(block + BLOCK * stride, call.columns);
        var block_others = 0.0;
        var block_gap = 0.0;
        for (var column = block + thread.lane; column < end; column += stride) {
            let below = panel[base + column] - maximum;
            let kind = relation(row, label, column);
            block_others += select(0.0, exp_nonpositive(below), kind != NEITHER && column != first_largest);
            block_gap += select(0.0, -below, kind == POSITIVE);
        }
        others += block_others;
        gap += block_gap;
    }
    others = reduce_add(thread, others);
    let share = select(0.0, 1.0 / f32(positives), positives > 0u);
    let has_positives = positives > 0u;
    let counts = has_positives && is_scale(value_scale());
    var loss = share * reduce_add(thread, gap) + log1pf(others);
    loss = select(0.0, select(loss, nan_from(loss), spoilt), counts);

    // An anchor that does not count hides what its weight is.
    let weight = select(0.0, load_weight(row), counts);
    let inverse = 1.0 / (1.0 + others);
    var slope = 0.0;
    if (GRADIENTS) {
        let factor = select(0.0, call.direction * weight * load_upstream(row), counts);
        for (var block = 0u; block < call.columns; block += BLOCK * stride) {
            let end = min(block + BLOCK * stride, call.columns);
            var block_slope = 0.0;
            for (var column = block + thread.lane; column < end; column += stride) {
                let place = base + column;
                let value = panel[place];
                let below = value - maximum;
                let kind = relation(row, label, column);
                let wanted = select(0.0, share, kind == POSITIVE);
                // The surest one's probability is 1 less that of the others.
                var excess = inverse * exp_nonpositive(below) - wanted;
                if (column == first_largest) {
                    excess = (1.0 - wanted) - inverse * others;
                }
                excess = select(0.0, factor * excess, kind != NEITHER);
                excess = select(excess, nan_from(excess), spoilt && counts);
                block_slope += select(0.0, excess * below, kind != NEITHER);
                panel[place] = pull_of(excess);
            }
            slope += block_slope;
        }
        slope = reduce_add(thread, slope);
    }

    if (thread.lane == 0u) {
        let item_loss = call.direction * weight * loss;
        store_loss(row, item_loss);
        let record = call.first_row + local;
        records[record].loss = item_loss;
        records[record].mass = select(0.0, weight, call.counts != 0u);
        records[record].slope = slope;
        records[record].items[0] = u32(has_positives && call.counts != 0u);
        records[record].items[1] = 0u;
    }
}
