// An anchor's loss from its sorted distances. A workgroup takes an anchor. Gradients take the place of the values in
// the panel.
//
// The hooks are positive_outcome and active_positives, which look distances up by what follows, most_triplets and
// counted_items.

struct Anchor {
    // Where the list of its keys begins, its distances and the sums of those of the negatives, each less the nearest
    // one's, so that sums of losses do not cancel.
    keys: u32,
    distances: u32,
    sums: u32,
    positives: u32,
    negatives: u32,
    nearest: f32,
}

// What a positive's triplets come to.
struct Outcome {
    loss: f32,
    // How many are selected, and how many of these have a loss.
    triplets: u32,
    active_triplets: u32,
}

fn distance_of_key(key: u32) -> f32 {
    return distance_of(bitcast<f32>(key & 0x7fffffffu));
}

fn positive_distance(anchor: Anchor, i: u32) -> f32 {
    return bitcast<f32>(lists[anchor.distances + i]);
}

fn negative_distance(anchor: Anchor, i: u32) -> f32 {
    return bitcast<f32>(lists[anchor.distances + anchor.positives + i]);
}

// The sum of how much farther than the nearest the negatives from one on, before another, are.
fn sum_of_negatives(anchor: Anchor, first: u32, end: u32) -> f32 {
    let from_first = bitcast<f32>(lists[anchor.sums + anchor.positives + max(first, 1u) - 1u]);
    let to_end = bitcast<f32>(lists[anchor.sums + anchor.positives + max(end, 1u) - 1u]);
    return select(0.0, to_end - select(0.0, from_first, first > 0u), end > first);
}

// Whether a triplet has a loss above 0. As it grows with d(a,p) and falls with d(a,n), those that have are a range of
// both.
fn is_active(positive: f32, negative: f32) -> bool {
    return (positive - negative) + params.margin > 0.0;
}

const BELOW: u32 = 0u;
const UP_TO: u32 = 1u;
const ACTIVE: u32 = 2u;
const IN_MARGIN: u32 = 3u;

// Of what is sorted, how many of the first hold: negatives below a positive's distance, not above it, active with it,
// or not more than the margin above it.
fn count_negatives(anchor: Anchor, positive: f32, which: u32) -> u32 {
    var low = 0u;
    var high = anchor.negatives;
    while (low < high) {
        let middle = (low + high) / 2u;
        let negative = negative_distance(anchor, middle);
        var holds = negative < positive;
        switch (which) {
            case UP_TO: {
                holds = negative <= positive;
            }
            case ACTIVE: {
                holds = is_active(positive, negative);
            }
            case IN_MARGIN: {
                holds = negative - positive <= params.margin;
            }
            default: {}
        }
        low = select(low, middle + 1u, holds);
        high = select(middle, high, holds);
    }
    return low;
}

// Positives below a negative's distance, or not active with it.
fn count_positives(anchor: Anchor, negative: f32, which: u32) -> u32 {
    var low = 0u;
    var high = anchor.positives;
    while (low < high) {
        let middle = (low + high) / 2u;
        let positive = positive_distance(anchor, middle);
        let holds = select(positive < negative, !is_active(positive, negative), which == ACTIVE);
        low = select(low, middle + 1u, holds);
        high = select(middle, high, holds);
    }
    return low;
}

// The derivatives of the loss by the distances, at the places of their pairs.
fn put_slopes(anchor: Anchor, thread: Thread, factor: f32, spoilt: bool, local: u32) {
    let all = anchor.positives + anchor.negatives;
    for (var i = thread.lane; i < call.columns; i += WORKGROUP_SIZE) {
        let column = lists[anchor.keys + call.list + i];
        let place = local * call.stride + column;
        var slope = 0.0;
        if (i < anchor.positives) {
            slope = factor * f32(positive_outcome(anchor, positive_distance(anchor, i)).active_triplets);
        } else if (i < all) {
            slope = -factor * f32(active_positives(anchor, i - anchor.positives));
        }
        slope = select(slope, nan_from(slope), spoilt && i < all);
        let pull = pull_of(slope, panel[place], local, column);
        panel[place] = pull.x;
        if (COMPILED_DISTANCE == DISTANCE_COSINE) {
            panel[call.plane + place] = pull.y;
        }
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn select_pairs(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let local = workgroup.x;
    let record = call.first_row + local;
    let keys = local * call.stride;
    let distances = call.to_list + keys;
    let positives = records[record].positives;
    let negatives = records[record].negatives;
    let first_negative = distance_of_key(lists[keys + min(positives, call.columns - 1u)]);
    let nearest = select(0.0, first_negative, negatives > 0u);
    let anchor = Anchor(keys, distances, distances + call.list, positives, negatives, nearest);
    let spoilt = is_nan(records[record].loss) && positives > 0u && negatives > 0u;

    // The distances in order, and the sums of the negatives', by blocks of the lanes.
    let all = positives + negatives;
    let block = (call.columns + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let first = min(lanes_before(thread, 1u) * block, call.columns);
    let end = min(first + block, call.columns);
    var sum = 0.0;
    for (var i = first; i < end; i++) {
        let distance = distance_of_key(lists[keys + i]);
        lists[distances + i] = bitcast<u32>(distance);
        sum += select(0.0, distance - nearest, i >= positives && i < all);
    }
    sum = sum_before(thread, sum);
    for (var i = first; i < end; i++) {
        let distance = bitcast<f32>(lists[distances + i]);
        sum += select(0.0, distance - nearest, i >= positives && i < all);
        lists[anchor.sums + i] = bitcast<u32>(sum);
    }
    before_overwriting();

    var loss = 0.0;
    var triplets = vec2<u32>();
    var active_triplets = vec2<u32>();
    for (var i = thread.lane; i < call.columns; i += WORKGROUP_SIZE) {
        if (i < positives) {
            var outcome = positive_outcome(anchor, positive_distance(anchor, i));
            if (spoilt) {
                // Of none of its triplets is it known that it has no loss.
                outcome = Outcome(0.0, most_triplets(anchor), most_triplets(anchor));
            }
            loss += outcome.loss;
            triplets = plus_wide(triplets, wide(outcome.triplets));
            active_triplets = plus_wide(active_triplets, wide(outcome.active_triplets));
        }
    }
    loss = reduce_add(thread, loss);
    triplets = reduce_add_wide(thread, triplets);
    active_triplets = reduce_add_wide(thread, active_triplets);
    if (GRADIENTS) {
        put_slopes(anchor, thread, load_upstream(0u), spoilt, local);
    }
    if (thread.lane == 0u) {
        let items = counted_items(triplets, active_triplets);
        records[record].loss = select(loss, nan_from(loss), spoilt);
        records[record].mass = 0.0;
        records[record].items[0] = items.x;
        records[record].items[1] = items.y;
        records[record].triplets[0] = triplets.x;
        records[record].triplets[1] = triplets.y;
        records[record].active_triplets[0] = active_triplets.x;
        records[record].active_triplets[1] = active_triplets.y;
    }
}
