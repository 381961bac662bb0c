// Losses of boxes: one item a box, which is one quad of elements and always moved whole. A workgroup owns a contiguous
// span of boxes, and its lanes interleave inside it.
//
// Joined to what interface.wgsl lists.

// What moving a side inward does to its corner.
const INWARD: vec4<f32> = vec4<f32>(1.0, 1.0, -1.0, -1.0);

// Whether a corner is a NaN or infinite: then the item's loss and gradients are NaN.
fn is_spoilt(corners: vec4<f32>) -> bool {
    return any((bitcast<vec4<u32>>(corners) & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u));
}

// A loss and gradients as they are before they are weighted: all NaN where an input is.
fn finished(outcome: Outcome, spoilt: bool) -> Outcome {
    let nan = bitcast<vec4<f32>>(bitcast<vec4<u32>>(outcome.inward) | vec4<u32>(0x7fc00000u));
    return Outcome(
        select(outcome.loss, nan_from(outcome.loss), spoilt),
        select(outcome.inward, nan, spoilt),
    );
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = workgroup.x * call.span;
    let end = min(first + call.span, call.length);
    let scale = gradient_scale();
    let share = loss_share();

    var loss = 0.0;
    var items = 0u;
    var invalid = 0u;
    var first_invalid = NOWHERE;
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_loss = 0.0;
        for (var index = block + thread.lane; index < block_end; index += stride) {
            let prediction = load_prediction(index);
            let t = load_target(index);
            let kept = is_kept(index);
            let counts = kept && is_target_box(t);
            let offends = kept && !counts;
            items += select(0u, 1u, counts);
            invalid += select(0u, 1u, offends);
            first_invalid = min(first_invalid, select(NOWHERE, index, offends));
            let outcome = finished(box_outcome(prediction, t), is_spoilt(prediction) || is_spoilt(t));
            let weight = load_weight(index);
            let item_loss = select(0.0, (share * weight) * outcome.loss, counts);
            let gradient = scale * weight * load_upstream(index) * (INWARD * outcome.inward);
            store_loss(index, item_loss);
            store_gradient(index, select(vec4<f32>(), gradient, counts));
            block_loss += item_loss;
        }
        loss += block_loss;
    }

    loss = reduce_add(thread, loss);
    items = reduce_add_u32(thread, items);
    invalid = reduce_add_u32(thread, invalid);
    first_invalid = reduce_min_u32(thread, first_invalid);
    if (thread.lane == 0u) {
        workspace.partials[call.first_partial + workgroup.x] = Partial(loss, items, invalid, first_invalid, 0u);
    }
}
