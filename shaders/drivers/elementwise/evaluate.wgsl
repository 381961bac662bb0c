// Elementwise losses: one item an element. A workgroup owns a contiguous span of quads of elements, its lanes
// interleave inside it, and a lane owns whole quads: it moves four elements at once, and two halves of a word are never
// written by two lanes. What is loaded behind the last element may be anything, and counts for nothing.
//
// Joined to what interface.wgsl lists.

// The unsigned bits of infinity; those of a NaN are above.
const INFINITE: vec4<u32> = vec4<u32>(0xff000000u);

// Losses or gradients of a quad as they count. All that a NaN touches becomes one: `bits` are the largest of the inputs
// and the loss, without their sign. An item out of range, or left out,
// leaves nothing.
fn finished_part(values: vec4<f32>, bits: vec4<u32>, is_out: vec4<bool>, factor: vec4<f32>) -> vec4<f32> {
    let nan = bitcast<vec4<f32>>(bitcast<vec4<u32>>(values) | vec4<u32>(0x7fc00000u));
    return select(factor * select(values, nan, bits > INFINITE), vec4<f32>(), is_out);
}

// The bits of values without their sign.
fn unsigned_bits_of(values: vec4<f32>) -> vec4<u32> {
    return bitcast<vec4<u32>>(values) << vec4<u32>(1u);
}

// How many of a quad's elements are.
fn count(are: vec4<bool>) -> u32 {
    let ones = select(vec4<u32>(), vec4<u32>(1u), are);
    return (ones.x + ones.y) + (ones.z + ones.w);
}

// The places of a quad's elements.
fn places_of(quad: u32) -> vec4<u32> {
    return 4u * quad + vec4<u32>(0u, 1u, 2u, 3u);
}

// Their places along the last axes, of this length together, where the chunk begins at a place of these.
fn places_along(quad: u32, start: u32, length: u32) -> vec4<u32> {
    let x = (start + 4u * quad) % length;
    let y = select(x + 1u, 0u, x + 1u == length);
    let z = select(y + 1u, 0u, y + 1u == length);
    return vec4<u32>(x, y, z, select(z + 1u, 0u, z + 1u == length));
}

// Their places on an axis, of which each takes `inner` elements: the chunk begins at a place, and at an element of it.
fn places_across(quad: u32, offset: u32, inner: u32, start: u32, length: u32) -> vec4<u32> {
    return (start + (offset + places_of(quad)) / inner) % length;
}

// Stores the elements of the last quad that are before the end. What is behind it is not ours and stays.
fn store_rest(quad: u32, outcomes: Outcomes) {
    let rest = call.length - 4u * quad;
    let items = transpose(outcomes);
    if (rest > 0u) {
        put(4u * quad, items[0]);
    }
    if (rest > 1u) {
        put(4u * quad + 1u, items[1]);
    }
    if (rest > 2u) {
        put(4u * quad + 2u, items[2]);
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = workgroup.x * call.span;
    let end = min(first + call.span, (call.length + 3u) / 4u);
    let scale = gradient_scale();
    let share = loss_share();

    var loss = 0.0;
    var kept = 0u;
    var invalid = 0u;
    var first_invalid = NOWHERE;
    // What the last quad leaves, where it is not a whole one. It is stored behind the loops, because adapters that run
    // their lanes in step pay for a branch in any case.
    var rest = Outcomes();
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_loss = 0.0;
        for (var quad = block + thread.lane; quad < block_end; quad += stride) {
            let places = places_of(quad);
            let is_kept = are_kept(quad);
            let counts = (places < vec4<u32>(call.length)) & is_kept;
            let items = load_items(quad);
            let offends = counts & !in_domain(items);
            if (MASKED) {
                kept += count(counts);
            }
            if (CHECKED) {
                invalid += count(offends);
                let found = select(vec4<u32>(NOWHERE), places, offends);
                first_invalid = min(first_invalid, min(min(found.x, found.y), min(found.z, found.w)));
            }
            let weight = load_weight(quad);
            let slope = scale * weight * load_upstream(quad);
            let outcomes = finished(hook(items), unsigned_bits(items), offends | !is_kept, share * weight, slope);
            block_loss += sum(select(vec4<f32>(), outcomes[0], counts));
            if (places.w < call.length) {
                store(quad, outcomes);
            } else {
                rest = outcomes;
            }
        }
        loss += block_loss;
    }
    let last = call.length / 4u;
    if (last >= first && last < end && (last - first) % stride == thread.lane) {
        store_rest(last, rest);
    }

    loss = reduce_add(thread, loss);
    if (MASKED) {
        kept = reduce_add_u32(thread, kept);
    } else {
        kept = min(4u * end, call.length) - min(4u * first, call.length);
    }
    if (CHECKED) {
        invalid = reduce_add_u32(thread, invalid);
        first_invalid = reduce_min_u32(thread, first_invalid);
    }
    if (thread.lane == 0u) {
        let partial = Partial(loss, kept - invalid, invalid, first_invalid, 0u);
        workspace.partials[call.first_partial + workgroup.x] = partial;
    }
}

// What a mean divides by: the items that count, or the sum of their weights.
@compute @workgroup_size(WORKGROUP_SIZE)
fn measure(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = workgroup.x * call.span;
    let end = min(first + call.span, (call.length + 3u) / 4u);
    var total = 0.0;
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_total = 0.0;
        for (var quad = block + thread.lane; quad < block_end; quad += stride) {
            let share = select(vec4<f32>(1.0), load_weight(quad), vec4<bool>(call.measured == WEIGHTED));
            let counts = (places_of(quad) < vec4<u32>(call.length)) & are_kept(quad);
            block_total += sum(select(vec4<f32>(), share, counts));
        }
        total += block_total;
    }
    total = reduce_add(thread, total);
    if (thread.lane == 0u) {
        workspace.partials[call.first_partial + workgroup.x] = Partial(total, 0u, 0u, NOWHERE, 0u);
    }
}
