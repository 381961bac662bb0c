// What the kernels are given that sum the gradients of a broadcast input, as it is of f32. Kernels get their own in
// place of this file; a test holds both together.

struct Call {
    // Sums of the dispatch.
    length: u32,
    // Pairs of sums of a workgroup.
    span: u32,
    // Terms and sums side by side in a row.
    inner: u32,
    // Rows of terms that make an axis, and of sums that are left of it.
    axis: u32,
    parts: u32,
    // The part of its axis that the first sum is of.
    first_part: u32,
    // Rows of terms that make one of sums.
    fan: u32,
    // Where the first term and the first sum lie in what is bound.
    terms_start: u32,
    sums_start: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

@group(0) @binding(2) var<storage, read> terms: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

fn load_terms(index: u32) -> f32 {
    return terms[index];
}

// Stores a sum, or adds it to what is there.
fn put_gradient(index: u32, value: f32) {
    sums[index] = value;
}

// The same of two sums side by side, of which the first has an even index.
fn put_both(index: u32, values: vec2<f32>) {
    put_gradient(index, values.x);
    put_gradient(index + 1u, values.y);
}
