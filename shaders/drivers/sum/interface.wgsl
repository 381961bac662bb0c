// What the kernel is given that adds up the parts of a loss, as it is with everything given, in f32: where the parts
// are layers with weights. It gets its own in place of this file; a test holds both together.

struct Call {
    // How many parts.
    parts: u32,
    // From the result of one to the next, in values.
    loss_stride: u32,
    // From the workspace of one to the next, in words.
    workspace_stride: u32,
    // What the result of each layer is multiplied with besides its weight, and the gradient of that besides upstream.
    share: f32,
    slope: f32,
    // 0: all share one upstream.
    upstream_stride: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// The words of a workspace that hold these.
const ITEMS: u32 = 1u;
const INVALID: u32 = 3u;
const INVALID_PARTIAL: u32 = 5u;
const INVALID_ITEM: u32 = 6u;

// The result.
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
// The workspaces of the parts, and the sum's own.
@group(0) @binding(4) var<storage, read_write> workspaces: array<u32>;
@group(0) @binding(5) var<storage, read_write> workspace: Workspace;
// The weights of layers.
@group(0) @binding(6) var<storage, read> input_layer_weights: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_layer_weights: array<f32>;
@group(0) @binding(8) var<storage, read> input_upstream: array<f32>;

// What the result of a part is multiplied with.
fn weight_of(part: u32) -> f32 {
    return call.share * input_layer_weights[part];
}

fn load_upstream(index: u32) -> f32 {
    return input_upstream[index * call.upstream_stride];
}

// Takes the result of a part for the gradient of its weight, where that has one.
fn put_slope(part: u32, value: f32) {
    grad_layer_weights[part] = (call.slope * load_upstream(0u)) * value;
}
