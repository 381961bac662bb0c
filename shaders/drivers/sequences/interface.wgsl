// What the kernels of sequences are given, as it is of tokens by their logits, with everything given, in f32. Each gets
// its own in place of this file; a test holds both together.

struct Call {
    // Tokens, sequences and items: one or two sequences each, in as many slots.
    tokens: u32,
    sequences: u32,
    items: u32,
    // From one slot's values to the next.
    stride: u32,
    // Classes of a token's target.
    classes: u32,
    // Whether what tokens have is averaged over a sequence.
    averages: u32,
    // Workgroups side by side.
    across: u32,
    // Pairs of tokens of a workgroup.
    span: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// Whether each token has a class index.
const HAS_TARGET: bool = true;

// The first token of each sequence, and behind the last one's the number of tokens.
@group(0) @binding(2) var<storage, read> offsets: array<i32>;
// Of each token.
@group(0) @binding(3) var<storage, read> input_log_prob: array<f32>;
@group(0) @binding(4) var<storage, read> input_old_log_prob: array<f32>;
@group(0) @binding(5) var<storage, read> input_target: array<i32>;
@group(0) @binding(6) var<storage, read> input_mask: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_log_prob: array<f32>;
// Of each sequence: the sum or mean over its tokens, how many count, whether all is as it should be, and the gradient.
@group(0) @binding(8) var<storage, read_write> values: array<f32>;
@group(0) @binding(9) var<storage, read_write> lengths: array<f32>;
@group(0) @binding(10) var<storage, read_write> standing: array<u32>;
@group(0) @binding(11) var<storage, read_write> slopes: array<f32>;
// Whether an item is there.
@group(0) @binding(12) var<storage, read_write> kept: array<i32>;
// Whether a token counts.
@group(0) @binding(13) var<storage, read_write> token_counts: array<i32>;

// The log-probability of a token, and by the old policy; 0 without one.
fn load_log_prob(index: u32) -> f32 {
    return input_log_prob[index];
}

fn load_old_log_prob(index: u32) -> f32 {
    return input_old_log_prob[index];
}

// The class index of a token; 0 without one.
fn load_target(index: u32) -> i32 {
    return input_target[index];
}

// Whether a class index says that its token is left out.
fn is_ignored(label: i32) -> bool {
    return false;
}

// Whether a mask does not leave a token out.
fn is_kept(index: u32) -> bool {
    return (bitcast<u32>(input_mask[index]) << 1u) != 0u;
}

// Stores what a token's log-probability is multiplied with, or adds it to what is there.
fn put_slope(index: u32, value: f32) {
    grad_log_prob[index] = value;
}

// Stores whether a token of logits counts.
fn put_counts(index: u32, value: i32) {
    token_counts[index] = value;
}
