// The negatives with which a positive makes triplets, and of these the ones with which it has a loss, are ranges.
fn positive_outcome(anchor: Anchor, positive: f32) -> Outcome {
    let not_farther = count_negatives(anchor, positive, UP_TO);
    let with_loss = count_negatives(anchor, positive, ACTIVE);
    var first = 0u;
    var end = anchor.negatives;
    if (params.triplets == TRIPLETS_SEMI_HARD) {
        first = not_farther;
        end = max(first, count_negatives(anchor, positive, IN_MARGIN));
    } else if (params.triplets == TRIPLETS_HARD) {
        end = not_farther;
    }
    let active_end = clamp(with_loss, first, end);
    let count = active_end - first;
    let sum = sum_of_negatives(anchor, first, active_end);
    return Outcome(f32(count) * ((positive - anchor.nearest) + params.margin) - sum, end - first, count);
}

// With how many positives a negative makes triplets that have a loss.
fn active_positives(anchor: Anchor, i: u32) -> u32 {
    let negative = negative_distance(anchor, i);
    let nearer = count_positives(anchor, negative, BELOW);
    var first = count_positives(anchor, negative, ACTIVE);
    var end = anchor.positives;
    if (params.triplets == TRIPLETS_SEMI_HARD) {
        end = nearer;
    } else if (params.triplets == TRIPLETS_HARD) {
        first = max(first, nearer);
    }
    return max(end, first) - first;
}

// What a positive selects at the most.
fn most_triplets(anchor: Anchor) -> u32 {
    return anchor.negatives;
}

fn counted_items(triplets: vec2<u32>, active_triplets: vec2<u32>) -> vec2<u32> {
    return select(triplets, active_triplets, params.average == AVERAGE_ACTIVE);
}
