// What the steps of `clip_grad_norm` leave for each other.

// One workgroup's share.
struct NormPartial {
    // The sums of small, middle and large blocks; of other norms than the Euclidean one, the middle one alone.
    low: f32,
    middle: f32,
    high: f32,
    // The largest of the values' bits without their sign.
    largest: u32,
}

struct Norms {
    norm: f32,
    // What gradients are multiplied with; 1 leaves them as they are.
    coefficient: f32,
    // The first partial with a NaN or an infinity.
    first_nonfinite: u32,
    partials: array<NormPartial>,
}
