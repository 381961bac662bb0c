// What kernels of boxes are given, as it is with everything given, in f32. Kernels get their own in place of this file;
// a test holds both together.
//
// The loss's parameters are `params`. Boxes are x1 y1 x2 y2, one quad of elements each, by their index in the chunk.

struct Call {
    // Boxes of the chunk.
    length: u32,
    // Boxes of a workgroup.
    span: u32,
    // The place of the chunk's first partial.
    first_partial: u32,
    // What gradients are multiplied with besides weight and upstream; to be divided by a measured divisor yet.
    scale: f32,
    // 0 where the divisor is known, and the divisor then; else `workspace.divisor` holds it: 1 for the items that
    // count, WEIGHTED for the sum of their weights, GIVEN for the caller's.
    measured: u32,
    divisor: f32,
    // From one box's upstream to the next: 0 where all share one.
    upstream_stride: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// The boxes of the chunk, and of each box a weight, an upstream (or one for all) and a loss.
@group(0) @binding(2) var<storage, read> input_prediction: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> input_target: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> input_weight: array<f32>;
@group(0) @binding(5) var<storage, read> input_mask: array<f32>;
@group(0) @binding(6) var<storage, read> input_upstream: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_prediction: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> loss_of_item: array<f32>;
@group(0) @binding(9) var<storage, read_write> workspace: Workspace;

// A box.
fn load_prediction(quad: u32) -> vec4<f32> {
    return input_prediction[quad];
}

fn load_target(quad: u32) -> vec4<f32> {
    return input_target[quad];
}

// Whether the mask does not leave an item out.
fn is_kept(index: u32) -> bool {
    return (bitcast<u32>(input_mask[index]) << 1u) != 0u;
}

// A value of a box; 1 where the input is left out.
fn load_weight(index: u32) -> f32 {
    return input_weight[index];
}

fn load_upstream(index: u32) -> f32 {
    return input_upstream[index * call.upstream_stride];
}

// Stores a box's loss, where each keeps its own.
fn store_loss(index: u32, value: f32) {
    loss_of_item[index] = value;
}

// Stores the gradient of a prediction by its corners, or adds it to what is there.
fn store_gradient(quad: u32, values: vec4<f32>) {
    grad_prediction[quad] = values;
}
