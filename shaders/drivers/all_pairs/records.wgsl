// What the kernels of a whole batch share: how rows, and the panel of their pairs' values, lie in memory.
//
// Embeddings lie side by side as rows of quads of f32, those of one input behind those of the other. The panel has the
// values of some rows, the anchors, with all rows that they are compared with, the columns; later what each pair adds
// to the gradients.
//
// Joined to what interface.wgsl lists.

// What is known of a row.
struct Record {
    // ‖x‖ as it was given, and what the gradient by the prepared row becomes that by the given one with.
    norm: f32,
    inverse: f32,
    // How much of the prepared row itself its gradient has besides what the other rows add.
    radial: f32,
    // The anchor's loss, the weight of its items in a mean, and the slope by the logarithm of the scale of all values.
    loss: f32,
    mass: f32,
    slope: f32,
    // Counts, low word first: items that count, triplets selected, those of them with a loss.
    items: array<u32, 2>,
    triplets: array<u32, 2>,
    active_triplets: array<u32, 2>,
    // Positives and negatives, and the sums of their distances.
    positives: u32,
    negatives: u32,
    positive_distance: f32,
    negative_distance: f32,
    // The hardest positive and the hardest negative, and how they and the anchor draw each other.
    mined: array<u32, 2>,
    pulls: array<f32, 2>,
    radials: array<f32, 2>,
}

// The least divisor of a cosine.
const LEAST_DIVISOR: f32 = 1e-8;

// In place of a scale that is beyond f32: its batch is out of range. Told by its bits: NaN is none.
const NO_SCALE: f32 = -1.0;

fn is_scale(value: f32) -> bool {
    return bitcast<u32>(value) != bitcast<u32>(NO_SCALE);
}

// Of a pair of vectors by the product of their lengths: how much of the cosine a least divisor leaves.
fn kept_cosine(product: f32) -> f32 {
    return min(product / LEAST_DIVISOR, 1.0);
}
