// Elementwise losses: one item an element. A workgroup owns a contiguous span of pairs of elements, its lanes
// interleave inside it, and a lane owns whole pairs, so that two halves of a word are never written by two lanes.
//
// The header gives: Item and Items (a pair), load_items, load_weight, load_upstream, in_domain, any_nan, all_finite,
// Outcome (loss, then gradients), hook, store_gradients, store_losses.

// One element's loss and gradients, before weights.
fn outcome_of(item: Item) -> Outcome {
    var outcome = hook(item);
    if (!all_finite(item)) {
        // An infinity that the formula would hide becomes a NaN; so does everything a NaN touches.
        let spoilt = any_nan(item);
        for (var i = 0u; i < OUTCOMES; i++) {
            if (spoilt || is_finite(outcome[i])) {
                outcome[i] = nan_from(outcome[i]);
            }
        }
    }
    return outcome;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = workgroup.x * params.span;
    let end = min(first + params.span, (params.length + 1u) / 2u);
    let scale = gradient_scale();

    var loss = 0.0;
    var invalid = 0u;
    var first_invalid = NOWHERE;
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_loss = 0.0;
        for (var pair = block + thread.lane; pair < block_end; pair += stride) {
            let items = load_items(pair);
            var low = outcome_of(items.low);
            var high = outcome_of(items.high);
            // The last pair of an odd length has one element.
            let both = 2u * pair + 1u < params.length;
            if (CHECKED) {
                if (both && !in_domain(items.high)) {
                    high = Outcome();
                    invalid += 1u;
                    first_invalid = min(first_invalid, 2u * pair + 1u);
                }
                if (!in_domain(items.low)) {
                    low = Outcome();
                    invalid += 1u;
                    first_invalid = min(first_invalid, 2u * pair);
                }
            }
            let weight = load_weight(pair);
            let losses = weight * vec2<f32>(low.x, high.x);
            block_loss += losses.x + select(0.0, losses.y, both);
            store_losses(pair, losses);
            store_gradients(pair, low, high, scale * weight * load_upstream(pair));
        }
        loss += block_loss;
    }

    loss = reduce_add(thread, loss);
    if (CHECKED) {
        invalid = reduce_add_u32(thread, invalid);
        first_invalid = reduce_min_u32(thread, first_invalid);
    }
    if (thread.lane == 0u) {
        let items = min(2u * end, params.length) - min(2u * first, params.length);
        workspace.partials[params.first_partial + workgroup.x] = Partial(loss, items - invalid, invalid, first_invalid, 0u);
    }
}

// The sum of the weights, which `weighted_mean` divides by.
@compute @workgroup_size(WORKGROUP_SIZE)
fn measure(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = workgroup.x * params.span;
    let end = min(first + params.span, (params.length + 1u) / 2u);
    var total = 0.0;
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_total = 0.0;
        for (var pair = block + thread.lane; pair < block_end; pair += stride) {
            let weight = load_weight(pair);
            block_total += weight.x + select(0.0, weight.y, 2u * pair + 1u < params.length);
        }
        total += block_total;
    }
    total = reduce_add(thread, total);
    if (thread.lane == 0u) {
        workspace.partials[params.first_partial + workgroup.x] = Partial(total, 0u, 0u, NOWHERE, 0u);
    }
}
