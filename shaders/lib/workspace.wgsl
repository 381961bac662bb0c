// What the passes of one call leave for each other.

// One workgroup's share of the sums.
struct Partial {
    // Times `mean_share` of the divisor.
    loss: f32,
    // Items that count.
    items: u32,
    // Items with a value out of range, and the first of them within its chunk.
    invalid: u32,
    first_invalid: u32,
    // Items whose target is the predicted class.
    correct: u32,
}

// Counts have 64 bits, the low word first.
struct Workspace {
    // What the sum is divided by, where only the device knows it.
    divisor: f32,
    items_low: u32,
    items_high: u32,
    invalid_low: u32,
    invalid_high: u32,
    // The first partial with an invalid item, and the item's index within its chunk.
    invalid_partial: u32,
    invalid_item: u32,
    correct_low: u32,
    correct_high: u32,
    // The terms of a loss that is a sum of two.
    first_term: f32,
    second_term: f32,
    // What a triplet loss of a whole batch found.
    triplets_low: u32,
    triplets_high: u32,
    active_low: u32,
    active_high: u32,
    positive_distance: f32,
    negative_distance: f32,
    // Of a whole batch whose values have a scale of their own: the scale, and the loss's slope by its logarithm.
    value_scale: f32,
    slope: f32,
    partials: array<Partial>,
}

const NOWHERE: u32 = 0xffffffffu;

// What `call.measured` may be besides 0, for a divisor that the host knows, and 1, for the items or rows that count:
// the sum of the weights of these, and the caller's.
const WEIGHTED: u32 = 2u;
const GIVEN: u32 = 3u;

// A sum of losses that there is no divisor for: 0, but what is not finite must show.
fn undivided(sum: f32) -> f32 {
    return select(nan_from(sum), 0.0, is_finite(sum));
}

// What losses are multiplied with before they are added up, if their sum is divided by this: a power of two, not above
// the divisor's inverse, so that a sum overflows only where its mean does. 1 for a divisor of 1.
fn mean_share(divisor: f32) -> f32 {
    let exponent = i32(((bitcast<u32>(divisor) & 0x7fffffffu) + 0x7fffffu) >> 23u) - 127;
    return bitcast<f32>((127 - clamp(exponent, 0, 126)) << 23u);
}
