// What the kernel is given that makes the factors of layers, as it is with everything given, in f32. It gets its own in
// place of this file; a test holds both together.

struct Call {
    // How many layers.
    parts: u32,
    // From the factor of one to the next, in values.
    factor_stride: u32,
    // 0: all share one upstream.
    upstream_stride: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

@group(0) @binding(2) var<storage, read> input_layer_weights: array<f32>;
@group(0) @binding(3) var<storage, read> input_upstream: array<f32>;
@group(0) @binding(4) var<storage, read_write> factors: array<f32>;

// The weight of a layer.
fn load_weight(index: u32) -> f32 {
    return f32(input_layer_weights[index]);
}

fn load_upstream(index: u32) -> f32 {
    return f32(input_upstream[(0u * call.upstream_stride)]);
}
