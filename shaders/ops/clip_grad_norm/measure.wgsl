// The share of a workgroup in the norm of all gradients: it owns a contiguous span of quads of one of them.
//
// Joined to a norm, which has `terms_of`, `sums_of_block` and `norm_of`.

// Four values; 0 behind the last one.
fn counted_values(quad: u32) -> vec4<f32> {
    return select(vec4<f32>(), load_values(quad), are_inside(quad));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn measure_norm(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, (call.length + 3u) / 4u);
    var sums = vec3<f32>();
    var largest = vec4<u32>();
    for (var block = first; block < end; block += BLOCK * WORKGROUP_SIZE) {
        let block_end = min(block + BLOCK * WORKGROUP_SIZE, end);
        var terms = vec4<f32>();
        for (var quad = block + thread.lane; quad < block_end; quad += WORKGROUP_SIZE) {
            let values = counted_values(quad);
            terms += terms_of(values);
            largest = max(largest, unsigned_bits_of(values));
        }
        sums += sums_of_block(sum(terms), block + thread.lane, block_end);
    }
    let low = reduce_add(thread, sums.x);
    let middle = reduce_add(thread, sums.y);
    let high = reduce_add(thread, sums.z);
    let most = max(max(largest.x, largest.y), max(largest.z, largest.w));
    let largest_of_all = ~reduce_min_u32(thread, ~most);
    if (thread.lane == 0u) {
        norms.partials[call.first_partial + workgroup.x] = NormPartial(low, middle, high, largest_of_all);
    }
}
