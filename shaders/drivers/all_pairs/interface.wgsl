// What kernels of all pairs are given, as it is with everything given, in f32. Each gets of it what it needs, in place
// of this file; a test holds both together.
//
// The loss's parameters are `params`. Rows are those of all inputs, one behind the other; anchors are the rows of a
// panel, columns the rows that they are compared with. Quads are four dimensions side by side.

struct Call {
    // How many there are of what the workgroups share, and how many one of them takes: rows; in `finish`, words of
    // elements.
    length: u32,
    span: u32,
    // Elements of an input.
    elements: u32,
    // Dimensions of an embedding, and quads of a row, zeros behind its end included.
    dimensions: u32,
    quads: u32,
    // The first row: of an input, or of the panel's anchors.
    first_row: u32,
    // Anchors of the panel, and the number of the first among the items.
    rows: u32,
    first_item: u32,
    // Columns, and the row that is the first. Of lists, the keys of each.
    columns: u32,
    first_column: u32,
    // Values from one anchor to the next in the panel and in the lists, and from one plane of the panel to the next.
    stride: u32,
    plane: u32,
    // Words from one plane of the lists to the next: keys, and what they belong to.
    list: u32,
    // The planes of keys that a step reads and that it writes.
    from_list: u32,
    to_list: u32,
    // The lowest bit of the digit to sort by.
    shift: u32,
    // What similarities are multiplied with, where no input says it.
    value_scale: f32,
    // The share of this direction of comparison in an item's loss, and 1 if it counts the items, else 0.
    direction: f32,
    counts: u32,
    // From one anchor's upstream to the next: 0 where all share one.
    upstream_stride: u32,
    // The rows that get gradients, and the first; the anchors or columns that owe them, and the first.
    receivers: u32,
    first_receiver: u32,
    givers: u32,
    first_giver: u32,
    // Givers of a part, and parts.
    part: u32,
    parts: u32,
    // The row of `sums` that the first receiver's go to, and 1 if they are added to what is there, else 0.
    first_sum: u32,
    adds: u32,
    // Rows below this length are divided by it instead of their own, where they are brought to unit length.
    least_norm: f32,
    // What gradients are multiplied with; to be divided by a measured divisor yet.
    scale: f32,
    // 1 where the divisor is what `finalize_batch` finds, GIVEN where it is the caller's, else 0; 1 if that is the
    // anchors' weights, else 0; and the divisor where it is known.
    measured: u32,
    weighted: u32,
    divisor: f32,
}
@group(0) @binding(0) var<uniform> call: Call;

// Quads of a tile's rows. Of register tiles (lib/tile.wgsl): lanes side by side along the columns, blocks of a lane,
// steps of a tile, and whether the quads of either side lie along the depth.
const TILE_QUADS: u32 = 1u;
const COLUMN_LANES: u32 = 8u;
const COLUMN_BLOCKS: u32 = 1u;
const TILE_STEPS: u32 = 1u;
const LEFT_ALONG: bool = true;
const RIGHT_ALONG: bool = true;
// Whether rows are brought to unit length, and whether short ones are divided by a least length in place of their own.
const UNIT: bool = true;
const UNIT_FLOORED: bool = true;
// Whether a gradient beyond its storage type is the largest number of that.
const SATURATES: bool = true;
// Whether the distance is that of a cosine. Then each pair has two numbers, in two planes of the panel.
const COSINE: bool = true;
// Whether gradients go to the columns, or to the anchors.
const TO_COLUMNS: bool = false;
// Whether a row is drawn to another less itself.
const DIFFERENCES: bool = true;
// Whether gradients are computed.
const GRADIENTS: bool = true;
// Whether the loss mines triplets, and whether its result is one value.
const MINING: bool = true;
const REDUCED: bool = true;
// Whether an input is the logarithm of the scale of all values.
const SCALED: bool = true;

// What a step reads alone is bound for reading.
//
// The rows of all inputs, and what is known of each.
@group(0) @binding(2) var<storage, read_write> rows: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> records: array<Record>;
// The values of the panel's anchors with all columns, later what each pair adds to the gradients; and the same by
// quads.
@group(0) @binding(4) var<storage, read_write> panel: array<f32>;
@group(0) @binding(5) var<storage, read_write> panel_quads: array<vec4<f32>>;
// The keys of anchors that are sorted, with their columns, and which rows were mined.
@group(0) @binding(6) var<storage, read_write> lists: array<u32>;
// The gradients of all rows so far, and behind them those of parts; and the same of how much of itself each row gets.
// Apart, because of a vector no two lanes may store different components.
@group(0) @binding(7) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> radials: array<f32>;
@group(0) @binding(9) var<storage, read_write> workspace: Workspace;
// The input that a step loads, and the gradient that it stores.
@group(0) @binding(10) var<storage, read> input_tensor: array<f32>;
@group(0) @binding(11) var<storage, read_write> output_tensor: array<f32>;
// A label, a weight, an upstream (or one for all) and a loss an anchor.
@group(0) @binding(12) var<storage, read> input_labels: array<i32>;
@group(0) @binding(13) var<storage, read> input_weight: array<f32>;
@group(0) @binding(14) var<storage, read> input_mask: array<f32>;
@group(0) @binding(15) var<storage, read> input_upstream: array<f32>;
@group(0) @binding(16) var<storage, read_write> loss_of_item: array<f32>;
// The columns that an anchor has mined, where they are asked for; −1 for none.
@group(0) @binding(17) var<storage, read_write> hardest_positive: array<i32>;
@group(0) @binding(18) var<storage, read_write> hardest_negative: array<i32>;
// The result, one value. Where each anchor keeps its loss, those are bound and stay as they are.
@group(0) @binding(19) var<storage, read_write> loss: array<f32>;

// An element of the input that is loaded.
fn load_element(index: u32) -> f32 {
    return input_tensor[index];
}

// What similarities are multiplied with: `workspace.value_scale`, where an input says it.
fn value_scale() -> f32 {
    return call.value_scale;
}

// A value of an anchor, by its number among the items. A label is 0 where there are none, the others 1.
fn load_label(index: u32) -> i32 {
    return input_labels[index];
}

// Whether the mask does not leave an item out.
fn is_kept(index: u32) -> bool {
    return (bitcast<u32>(input_mask[index]) << 1u) != 0u;
}

fn load_weight(index: u32) -> f32 {
    return input_weight[index];
}

fn load_upstream(index: u32) -> f32 {
    return input_upstream[index * call.upstream_stride];
}

// Stores an anchor's loss, where each keeps its own. The second direction of comparison adds its share.
fn store_loss(index: u32, value: f32) {
    loss_of_item[index] = select(loss_of_item[index], 0.0, call.counts != 0u) + value;
}

// Stores the columns that an anchor has mined, where they are asked for.
fn store_hardest(index: u32, positive: i32, negative: i32) {
    hardest_positive[index] = positive;
    hardest_negative[index] = negative;
}

// Stores the gradient of an element, or adds it to what is there.
fn put_gradient(index: u32, value: f32) {
    output_tensor[index] = value;
}

// The same of the chosen halves of a word, by the word's index: where elements are halves.
fn put_word(word: u32, values: vec2<f32>, chosen: vec2<bool>) {}
