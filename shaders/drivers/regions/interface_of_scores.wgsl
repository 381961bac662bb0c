// What the kernel of scores is given, that of the step between those of the pixels, as it is with everything given. It
// gets its own in place of this file; a test holds both together.
//
// The loss's parameters are `params`. A segment is what is scored together: a sample, or all.

struct Call {
    // Scores in all, and those of a workgroup.
    length: u32,
    span: u32,
    // The place of the first partial, behind those of the pixels' parts.
    first_partial: u32,
    // Workgroups that have scores. One more has the pixels' term, where there is one.
    parts: u32,
    // Classes of a pixel.
    classes: u32,
    // Segments, and of each the parts of its pixels and its scores.
    segments: u32,
    segment_parts: u32,
    segment_scores: u32,
    // 1 where each class has a score of its own, else 0.
    per_class: u32,
    // The record that the slopes begin at.
    first_slopes: u32,
    // What slopes are multiplied with besides weight and upstream, those of the scores, to be divided by a measured
    // divisor yet, and that of the pixels' term.
    scale: f32,
    term_divisor: f32,
    term_scale: f32,
    // 1 where the divisor is the sum of the scores' weights, GIVEN where it is the caller's, else 0; and the divisor
    // where it is known.
    measured: u32,
    divisor: f32,
    // From one score's upstream to the next: 0 where all share one.
    upstream_stride: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// A weight a class.
@group(0) @binding(2) var<storage, read> input_class_weight: array<f32>;
// An upstream a score or for all, and a loss a score.
@group(0) @binding(3) var<storage, read> input_upstream: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss_of_item: array<f32>;
// The sums of all parts, and behind them each segment's slopes.
@group(0) @binding(5) var<storage, read_write> records: array<Region>;
@group(0) @binding(6) var<storage, read_write> workspace: Workspace;

// The weight of a class, by its column; 1 where it is left out.
fn load_class_weight(index: u32) -> f32 {
    return input_class_weight[index];
}

// The upstream of a score; 1 where it is left out.
fn load_upstream(index: u32) -> f32 {
    return input_upstream[index * call.upstream_stride];
}

// Stores a score's loss, where each keeps its own.
fn store_loss(index: u32, value: f32) {
    loss_of_item[index] = value;
}
