// What kernels of pairs and triplets are given, as it is of a loss of `anchor`, `positive` and `negative` with
// everything else given, in f32 and of rows that are not of whole quads. Kernels get their own in place of this file; a
// test holds both together.
//
// The loss's parameters are `params`. Items and elements are by their index in the chunk. A quad is four elements side
// by side as they lie in memory, wherever rows begin.

struct Call {
    // Items of the chunk.
    length: u32,
    // Items of a workgroup.
    span: u32,
    // The place of the chunk's first partial.
    first_partial: u32,
    // What gradients are multiplied with besides weight and upstream; to be divided by a measured divisor yet.
    scale: f32,
    // 0 where the divisor is known, and the divisor then; else `workspace.divisor` holds it: 1 for the items that
    // count, WEIGHTED for the sum of their weights, GIVEN for the caller's.
    measured: u32,
    divisor: f32,
    // From one item's upstream to the next: 0 where all share one.
    upstream_stride: u32,
    // Dimensions of an embedding.
    classes: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// How embeddings may be compared: the hook's DISTANCE is one of these.
const DISTANCE_EUCLIDEAN: u32 = 0u;
const DISTANCE_SQUARED_EUCLIDEAN: u32 = 1u;
const DISTANCE_COSINE: u32 = 2u;
// Whether rows are of whole quads.
const ALIGNED: bool = false;
// Whether gradients are computed.
const GRADIENTS: bool = true;
// Whether an item has a third embedding.
const THIRD: bool = true;

// The embeddings of the chunk's items, a row each, and their gradients; of each item a weight, an upstream (or one for
// all) and a loss.
@group(0) @binding(2) var<storage, read> input_anchor: array<f32>;
@group(0) @binding(3) var<storage, read> input_positive: array<f32>;
@group(0) @binding(4) var<storage, read> input_negative: array<f32>;
@group(0) @binding(5) var<storage, read> input_weight: array<f32>;
@group(0) @binding(6) var<storage, read> input_mask: array<f32>;
@group(0) @binding(7) var<storage, read> input_upstream: array<f32>;
@group(0) @binding(8) var<storage, read_write> grad_anchor: array<f32>;
@group(0) @binding(9) var<storage, read_write> grad_positive: array<f32>;
@group(0) @binding(10) var<storage, read_write> grad_negative: array<f32>;
@group(0) @binding(11) var<storage, read_write> loss_of_item: array<f32>;
@group(0) @binding(12) var<storage, read_write> workspace: Workspace;

// Four elements of each embedding: the quad of that index where rows are of whole quads, else those at the four places.
// A second or third embedding that there is not is 0.
fn load_values(quad: u32, places: vec4<u32>) -> Quad {
    return Quad(
        vec4<f32>(input_anchor[places.x]),
        vec4<f32>(input_positive[places.x]),
        vec4<f32>(input_negative[places.x]),
    );
}

// Stores those of a quad's gradients that are inside the row, or adds them to what is there.
fn put_first(quad: u32, inside: vec4<bool>, values: vec4<f32>) {
    if (inside.x) {
        grad_anchor[4u * quad] = values.x;
    }
}

fn put_second(quad: u32, inside: vec4<bool>, values: vec4<f32>) {
    if (inside.x) {
        grad_positive[4u * quad] = values.x;
    }
}

fn put_third(quad: u32, inside: vec4<bool>, values: vec4<f32>) {
    if (inside.x) {
        grad_negative[4u * quad] = values.x;
    }
}

// The same for all embeddings.
fn put_gradients(quad: u32, inside: vec4<bool>, gradients: Quad) {
    put_first(quad, inside, gradients.first);
    put_second(quad, inside, gradients.second);
    put_third(quad, inside, gradients.third);
}

// Whether a label is in range.
fn is_label(label: f32) -> bool {
    return true;
}

// An item's label; 1 where the loss has none, as this one.
fn load_label(index: u32) -> f32 {
    return 1.0;
}

// Whether the mask does not leave an item out.
fn is_kept(index: u32) -> bool {
    return (bitcast<u32>(input_mask[index]) << 1u) != 0u;
}

// A value of an item; 1 where the input is left out.
fn load_weight(index: u32) -> f32 {
    return input_weight[index];
}

fn load_upstream(index: u32) -> f32 {
    return input_upstream[index * call.upstream_stride];
}

// Stores an item's loss, where each keeps its own.
fn store_loss(index: u32, value: f32) {
    loss_of_item[index] = value;
}
