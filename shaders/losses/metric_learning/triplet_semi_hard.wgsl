// The negative that a positive takes: the nearest of those farther than it, or the farthest of all.
fn positive_outcome(anchor: Anchor, positive: f32) -> Outcome {
    let nearer = count_negatives(anchor, positive, UP_TO);
    let falls_back = nearer == anchor.negatives;
    if (anchor.negatives == 0u || (falls_back && params.fallback == FALLBACK_NONE)) {
        return Outcome();
    }
    let negative = negative_distance(anchor, min(nearer, anchor.negatives - 1u));
    let has_loss = is_active(positive, negative);
    return Outcome(select(0.0, (positive - negative) + params.margin, has_loss), 1u, u32(has_loss));
}

// How many positives take a negative and have a loss with it. Of equally far ones all take the first.
fn active_positives(anchor: Anchor, i: u32) -> u32 {
    let negative = negative_distance(anchor, i);
    let nearer = negative_distance(anchor, max(i, 1u) - 1u);
    if (i > 0u && nearer == negative) {
        return 0u;
    }
    let first = select(0u, count_positives(anchor, nearer, BELOW), i > 0u);
    let is_farthest = negative == negative_distance(anchor, anchor.negatives - 1u);
    let all = is_farthest && params.fallback == FALLBACK_FARTHEST;
    let end = select(count_positives(anchor, negative, BELOW), anchor.positives, all);
    let active_from = max(first, count_positives(anchor, negative, ACTIVE));
    return max(end, active_from) - active_from;
}

// What a positive selects at the most.
fn most_triplets(anchor: Anchor) -> u32 {
    return 1u;
}

fn counted_items(triplets: vec2<u32>, active_triplets: vec2<u32>) -> vec2<u32> {
    return triplets;
}
