// What kernels of Gram matrices are given, as it is with everything given, in f32. Each gets what it reads of it in
// place of this file; a test holds both together.
//
// A sample's features are rows of columns, a row a channel. `products` holds a matrix for each slice of each sample.

struct Call {
    // Workgroups of a row of the grid.
    across: u32,
    // Samples of the chunk, rows of a sample, columns of a row, and quads of them.
    samples: u32,
    rows: u32,
    columns: u32,
    quads: u32,
    // Slices of a row, and quads of one.
    slices: u32,
    slice: u32,
    // The rectangle that the tiles on and above the diagonal are folded into.
    tall: u32,
    wide: u32,
    // Entries of a workgroup, and the place of the chunk's first partial.
    span: u32,
    first_partial: u32,
    // What products are multiplied with to be entries.
    inverse: f32,
    // 0, or GIVEN where the divisor is the caller's; and the divisor where it is known.
    measured: u32,
    divisor: f32,
    // Words of the chunk's features.
    length: u32,
    // Tiles of a sample's rows, and workgroups beside each other that take a tile.
    tiles: u32,
    blocks: u32,
    // What gradients are multiplied with besides upstream.
    scale: f32,
    // 0: all share one upstream.
    upstream_stride: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// Whether rows are of whole quads.
const ALIGNED: bool = false;

@group(0) @binding(2) var<storage, read> input_features: array<f32>;
@group(0) @binding(3) var<storage, read> input_target_features: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_features: array<f32>;
@group(0) @binding(5) var<storage, read> input_upstream: array<f32>;
@group(0) @binding(6) var<storage, read_write> products: array<f32>;
@group(0) @binding(7) var<storage, read_write> kept: array<f32>;
@group(0) @binding(8) var<storage, read_write> workspace: Workspace;

// Four values of a row, by the quad that they are or by their places.
fn load_features(quad: u32, places: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(
        input_features[places.x],
        input_features[places.y],
        input_features[places.z],
        input_features[places.w],
    );
}

fn load_target_features(quad: u32, places: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(
        input_target_features[places.x],
        input_target_features[places.y],
        input_target_features[places.z],
        input_target_features[places.w],
    );
}

fn load_upstream(index: u32) -> f32 {
    return f32(input_upstream[(0u * call.upstream_stride)]);
}

// Stores one value of the gradient or adds to it; and four of a quad, where rows are of whole ones.
fn put_gradient(index: u32, value: f32) {
    grad_features[index] = value;
}

fn put_gradients(quad: u32, values: vec4<f32>) {
}
