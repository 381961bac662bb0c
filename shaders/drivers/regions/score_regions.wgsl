// The scores of a loss of regions from the sums of `sum_regions`, and each class's slopes by them: what
// `evaluate_gradients` multiplies with. A workgroup takes a span of scores, its lanes the parts and classes of one.
//
// Joined to what interface_of_scores.wgsl lists, and regions.wgsl; the hook is region_loss.

// The sums of a score's classes over the parts of its segment. Classes that share a score have weights in it.
fn region_of(thread: Thread, segment: u32, first_class: u32, classes: u32) -> Region {
    let records_of_score = call.segment_parts * classes;
    let stride = WORKGROUP_SIZE;
    var own = Region();
    for (var block = thread.lane; block < records_of_score; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, records_of_score);
        var sum = Region();
        for (var i = block; i < block_end; i += stride) {
            let column = first_class + i % classes;
            let record = records[records_of(segment * call.segment_parts + i / classes) + column];
            sum = plus(sum, scaled(record, share_of(column)));
        }
        own = plus(own, sum);
    }
    let x = reduce_add(thread, own.misses.x);
    let y = reduce_add(thread, own.misses.y);
    return Region(vec2<f32>(x, y), reduce_add(thread, own.overlap));
}

// What a class counts for in its score.
fn share_of(column: u32) -> f32 {
    return select(weight_of(column), 1.0, call.per_class != 0u);
}

// What the reduction divides by.
fn divisor_of_scores(thread: Thread, workgroup: u32) -> f32 {
    if (call.measured == 0u) {
        return call.divisor;
    }
    if (call.measured == GIVEN) {
        return workspace.divisor;
    }
    var own = 0.0;
    for (var column = first_scored() + thread.lane; column < call.classes; column += WORKGROUP_SIZE) {
        own += weight_of(column);
    }
    let divisor = reduce_add(thread, own) * f32(call.segments);
    if (thread.lane == 0u && workgroup == 0u) {
        workspace.divisor = divisor;
    }
    return divisor;
}

// What slopes are multiplied with besides the score's weight and upstream: 0 where nothing counts.
fn scale_of_scores(divisor: f32) -> f32 {
    if (call.measured == 0u) {
        return call.scale;
    }
    return select(call.scale / divisor, 0.0, is_no_divisor(divisor));
}

// A single class is not the background of others.
fn first_scored() -> u32 {
    return select(1u - params.include_background, 0u, call.classes == 1u);
}

// The pixels' term of all segments, and its slope, which is kept with those of the first segment. One workgroup has no
// scores but this.
fn evaluate_term(thread: Thread, partial: u32) {
    var own = vec2<f32>();
    for (var part = thread.lane; part < call.segments * call.segment_parts; part += WORKGROUP_SIZE) {
        own += records[records_of(part) + call.classes].misses;
    }
    let loss = reduce_add(thread, own.x);
    let mass = reduce_add(thread, own.y);
    if (thread.lane == 0u) {
        let known = select(call.term_divisor, mass, call.term_divisor == 0.0);
        let divisor = select(known, workspace.divisor, call.measured == GIVEN);
        let is_empty = is_no_divisor(divisor);
        // A loss of two terms has one result, and one upstream for it.
        let slope = select(call.term_scale / divisor * load_upstream(0u), 0.0, is_empty);
        records[slopes_of(0u) + call.classes] = Region(vec2<f32>(slope, 0.0), 0.0);
        let reduced = select(loss / divisor, undivided(loss), is_empty);
        workspace.partials[partial] = Partial(reduced, 0u, 0u, NOWHERE, 0u);
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn score_regions(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let partial = call.first_partial + workgroup.x;
    if (PIXEL_TERM && workgroup.x == call.parts) {
        evaluate_term(thread, partial);
        return;
    }
    let divisor = divisor_of_scores(thread, workgroup.x);
    let scale = scale_of_scores(divisor);
    let share = mean_share(divisor);
    let first = workgroup.x * call.span;
    let end = min(first + call.span, call.length);
    var loss = 0.0;
    for (var block = first; block < end; block += BLOCK) {
        let block_end = min(block + BLOCK, end);
        var block_loss = 0.0;
        for (var score = block; score < block_end; score++) {
            let segment = score / call.segment_scores;
            var first_class = first_scored();
            var classes = call.classes - first_class;
            var weight = 1.0;
            if (call.per_class != 0u) {
                first_class += score % call.segment_scores;
                classes = 1u;
                weight = weight_of(first_class);
            }
            let outcome = region_loss(region_of(thread, segment, first_class, classes));
            let factor = scale * weight * load_upstream(score);
            for (var column = first_class + thread.lane; column < first_class + classes; column += WORKGROUP_SIZE) {
                records[slopes_of(segment) + column] = scaled(outcome.slopes, factor * share_of(column));
            }
            if (thread.lane == 0u) {
                store_loss(score, weight * outcome.loss);
            }
            block_loss += (share * weight) * outcome.loss;
        }
        loss += block_loss;
    }
    if (thread.lane == 0u) {
        workspace.partials[partial] = Partial(loss, end - first, 0u, NOWHERE, 0u);
    }
}
