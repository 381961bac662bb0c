// Of losses that sort each anchor's distances: the list to sort. A workgroup takes an anchor. The keys of positives
// come first, then those of negatives, both by distance, then the rest.

@compute @workgroup_size(WORKGROUP_SIZE)
fn list_pairs(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let local = workgroup.x;
    let row = call.first_item + local;
    let base = local * call.stride;
    let label = load_label(row);
    var counts = vec2<u32>();
    var sums = vec2<f32>();
    var bits = 0u;
    let stride = WORKGROUP_SIZE;
    for (var block = 0u; block < call.columns; block += BLOCK * stride) {
        let end = min(block + BLOCK * stride, call.columns);
        var block_sums = vec2<f32>();
        for (var column = block + thread.lane; column < end; column += stride) {
            let value = panel[base + column];
            // Values are not below 0, so their bits are in their order.
            let value_bits = bitcast<u32>(value) & 0x7fffffffu;
            let kind = relation(row, label, column);
            bits = max(bits, select(0u, value_bits, kind != NEITHER));
            let key = select(value_bits, value_bits | 0x80000000u, kind == NEGATIVE);
            lists[base + column] = select(key, NOWHERE, kind == NEITHER);
            lists[call.list + base + column] = column;
            counts += vec2<u32>(u32(kind == POSITIVE), u32(kind == NEGATIVE));
            let distance = distance_of(value);
            block_sums += select(vec2<f32>(), vec2<f32>(distance), vec2<bool>(kind == POSITIVE, kind == NEGATIVE));
        }
        sums += block_sums;
    }
    let spoilt = reduce_min_u32(thread, ~bits) <= ~0x7f800000u;
    let positives = reduce_add_u32(thread, counts.x);
    let negatives = reduce_add_u32(thread, counts.y);
    let positive_sum = finite_or_nan(reduce_add(thread, sums.x));
    let negative_sum = finite_or_nan(reduce_add(thread, sums.y));
    if (thread.lane == 0u) {
        let record = call.first_row + local;
        records[record].loss = select(0.0, nan_from(positive_sum), spoilt);
        records[record].positives = positives;
        records[record].negatives = negatives;
        records[record].positive_distance = positive_sum;
        records[record].negative_distance = negative_sum;
    }
}
